import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportRun } from '../../src/experiments/export-run.ts';
import type { ImportRequest } from '../../src/experiments/import-request.ts';
import { importRun } from '../../src/experiments/import-run.ts';
import { readParameters } from '../../src/experiments/run-parameters.ts';
import { openTrainedRun } from '../../src/experiments/trained-run.ts';
import {
  readSafetensors,
  type SafetensorsTensor,
  safetensor,
  writeSafetensors,
} from '../../src/formats/safetensors.ts';
import { sampled, smallConfig, trained } from './small-runs.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-import-'));
const run = join(folder, 'run');
const config = smallConfig('points');
let tensors: ReadonlyMap<string, SafetensorsTensor>;
let weights: string;

beforeAll(async () => {
  await trained(run, config);
  const { sampling } = config;
  const wanted = { model: run, folder, sampling, provider: 'cpu', batch: null, ema: true, unrolled: false } as const;
  [weights] = (await exportRun({ ...wanted, weights: 'safetensors' })).paths as [string];
  tensors = readSafetensors(readFileSync(weights)).tensors;
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

function imported(change: Partial<ImportRequest> = {}) {
  const directory = join(mkdtempSync(join(folder, 'imported-')), 'new');
  return importRun({ file: weights, config, directory, names: 'own', lenient: false, ...change });
}

/** A file with other tensors than the run's. */
function changed(change: (tensors: Map<string, SafetensorsTensor>) => void): string {
  const copy = new Map(tensors);
  change(copy);
  const path = join(mkdtempSync(join(folder, 'file-')), 'w.safetensors');
  writeFileSync(path, writeSafetensors(copy));
  return path;
}

async function emaOf(directory: string) {
  return readParameters((await openTrainedRun(directory)).checkpoint, 'ema');
}

describe('importRun', () => {
  it('brings exported weights back: the run makes the same samples to the bit', async () => {
    const outcome = await imported();
    expect(outcome.missing).toEqual([]);
    expect(outcome.tensors.map(({ name }) => name).sort()).toEqual([...tensors.keys()].sort());
    for (const { name, paths } of outcome.tensors) expect(paths).toEqual([name]);
    const [before, after] = [join(folder, 'before.npz'), join(folder, 'after.npz')];
    await sampled(run, { arraysPath: before });
    await sampled(outcome.directory, { arraysPath: after });
    expect(readFileSync(after).equals(readFileSync(before))).toBe(true);
  });

  it('reads bfloat16 and float16', async () => {
    const [name, { shape, data }] = [...tensors][0]! as [string, SafetensorsTensor & { data: Float32Array }];
    // 1.5 as bits of each format.
    for (const [dtype, bits] of [
      ['BF16', 0x3fc0],
      ['F16', 0x3e00],
    ] as const) {
      const half = { dtype, shape, data: new Uint16Array(data.length).fill(bits) } as const;
      const outcome = await imported({ file: changed((copy) => copy.set(name, half)) });
      expect((await emaOf(outcome.directory))[name]!.every((value) => value === 1.5)).toBe(true);
    }
  });

  it('lists everything that is missing, extra, misshapen or of another dtype', async () => {
    const [first, second, third] = [...tensors.keys()] as [string, string, string];
    const file = changed((copy) => {
      copy.delete(first);
      copy.set(second, safetensor(new Float32Array(7)));
      copy.set(third, safetensor(new Int32Array(tensors.get(third)!.data.length), tensors.get(third)!.shape));
      copy.set('another', safetensor(Float32Array.of(1)));
    });
    const failure = await imported({ file }).catch((error: Error) => error);
    expect(String(failure)).toContain(`missing: \`${first}\``);
    expect(String(failure)).toContain(`misshapen: \`${second}\` is [7]`);
    expect(String(failure)).toContain(`no numbers with fractions: \`${third}\` is I32`);
    expect(String(failure)).toContain('extra: `another` [1]');
    const outcome = await imported({ file, lenient: true });
    expect([...outcome.missing].sort()).toEqual([first, second, third].sort());
    expect(outcome.tensors.find(({ name }) => name === 'another')!.paths).toEqual([]);
  });

  it('reads the names and layouts of published checkpoints', async () => {
    const model = { kind: 'dit', labels: true, patch: 14, width: 8, depth: 1, heads: 2, mlpRatio: 2 } as const;
    const small = smallConfig('pictures', { data: { kind: 'images', source: 'fashion' }, model });
    const failure = await imported({ config: small, names: 'published' }).catch((error: Error) => error);
    const missing = [...String(failure).matchAll(/missing: `(.*)` \[(.*)\]/g)];
    const numbers = missing.map(([, name, shape]) => {
      const sizes = shape!.split(',').map(Number);
      const count = sizes.reduce((product, size) => product * size, 1);
      return [
        name!,
        safetensor(
          Float32Array.from({ length: count }, (_, i) => i),
          sizes,
        ),
      ] as const;
    });
    const file = join(folder, 'dit.safetensors');
    writeFileSync(file, writeSafetensors(new Map(numbers)));
    const outcome = await imported({ file, config: small, names: 'published' });
    const joint = outcome.tensors.find(({ name }) => name === 'blocks.0.attn.qkv.weight')!;
    expect(joint.paths).toEqual(['query', 'key', 'value'].map((part) => `blocks.0.attention.${part}.weight`));
    const parameters = await emaOf(outcome.directory).catch(async () =>
      readParameters((await openTrainedRun(outcome.directory)).checkpoint, 'parameters'),
    );
    expect(parameters['blocks.0.attention.key.weight']![0]).toBe(64);
  });

  it('refuses a folder that is not free', async () => {
    await expect(imported({ directory: run })).rejects.toThrow(/to be a new or empty folder/);
  });
});
