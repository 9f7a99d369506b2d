import { afterAll, expect, test } from 'vitest';
import { interpret } from '../../src/engine/interpreter.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { emitModel } from '../../src/engine/onnx/emit.ts';
import { importOnnx } from '../../src/engine/onnx/import-model.ts';
import { round } from '../../src/engine/ops.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { executeGraph } from './execute-graph.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

test('halves are rounded to even by the reference, in ONNX Runtime and as WebGPU composes it', async () => {
  const input = Float32Array.of(-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 0.49, 2.51);
  const wanted = [-4, -2, -2, 0, 0, 2, 2, 4, 0, 3];
  const graph = trace((x) => round(x), tensorType([input.length]));
  const plain = (values: ArrayLike<number | bigint>) => Array.from(values, (value) => Number(value) + 0);
  expect(plain(interpret(graph, { input }).output)).toEqual(wanted);
  expect(plain((await executeGraph(runtime, graph, { input })).output)).toEqual(wanted);
  const composed = importOnnx(emitModel(graph, { provider: 'webgpu' }).bytes);
  const again = trace((x) => composed.apply({}, { input: x }).output, tensorType([input.length]));
  expect(plain(interpret(again, { input }).output)).toEqual(wanted);
});
