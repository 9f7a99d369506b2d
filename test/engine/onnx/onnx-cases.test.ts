/** Some of the ONNX project's own operator cases; `scripts/conformance/onnx-operators.ts` runs all of them. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { openNativeRuntime } from '../../../src/engine/native/native-runtime.ts';
import { readCase, runCase } from './onnx-case.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

const folder = fileURLToPath(new URL('../../golden/onnx/cases/', import.meta.url));
const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);

test.each(names)('%s passes in the references and in ONNX Runtime', async (name) => {
  const outcome = await runCase(runtime, readCase(`${folder}${name}`));
  expect(outcome).toMatchObject({ interpreter: null, runtime: null });
});

test('a case with a wrong result does not pass', async () => {
  const one = readCase(`${folder}mod_mixed_sign_int32`);
  const [wanted] = one.outputs;
  const wrong = {
    ...one,
    outputs: [{ ...wanted!, values: Int32Array.from(wanted!.values as Int32Array).fill(77, 2, 3) }],
  };
  const outcome = await runCase(runtime, wrong);
  expect(outcome.interpreter).toMatch(/in place of 77 at 2/);
  expect(outcome.runtime).toMatch(/in place of 77 at 2/);
});
