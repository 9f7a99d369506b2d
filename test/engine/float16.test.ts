import { afterAll, describe, expect, test } from 'vitest';
import { toFloat16 } from '../../src/engine/dtype.ts';
import { gradient } from '../../src/engine/gradient.ts';
import { closeGraph } from '../../src/engine/graph.ts';
import { parseGraph, printGraph } from '../../src/engine/graph-text.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { emitModel } from '../../src/engine/onnx/emit.ts';
import {
  cast,
  constantTensor,
  gelu,
  geluTanh,
  groupNorm,
  layerNorm,
  multiply,
  reduceMean,
  reduceSum,
  reshape,
  rmsNorm,
  softmax,
} from '../../src/engine/ops.ts';
import { primitiveNamed } from '../../src/engine/primitives/table.ts';
import { placeholder, type Tensor } from '../../src/engine/tensor.ts';
import { float16ToFloat32, float32ToFloat16 } from '../../src/formats/half-precision.ts';
import { uniforms } from './examples.ts';
import { executeGraph, relativeError } from './execute-graph.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

describe('toFloat16', () => {
  test('takes every float16 to itself', () => {
    const all = float16ToFloat32(Uint16Array.from({ length: 65536 }, (_, bits) => bits));
    expect(all.every((value) => Object.is(toFloat16(value), value))).toBe(true);
  });

  test('rounds as the file format does, between all neighbours and halfway', () => {
    const next = uniforms(3);
    const positive = float16ToFloat32(Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits));
    const between = [...positive].flatMap((low, bits) => {
      const high = positive[bits + 1] ?? 65536;
      return [0.5, next(), next() ** 4, 1 - next() ** 4].map((share) => low + share * (high - low));
    });
    const values = Float32Array.from([...between, ...between.map((value) => -value), 65519.99, 65520, 1e30]);
    const wanted = float16ToFloat32(float32ToFloat16(values));
    expect(values.filter((value, i) => !Object.is(toFloat16(value), wanted[i]))).toEqual(Float32Array.of());
  });
});

describe('float16 in a graph', () => {
  const x = placeholder({ dtype: 'float32', shape: [2] });
  const half = cast(x, 'float16');

  test('is printed and read back, constants too', () => {
    const y = cast(multiply(half, constantTensor([0.1, 3], [2], 'float16')), 'float32');
    const text = printGraph(closeGraph([['x', x]], [['y', y]]));
    expect(text).toContain('f16[2]');
    expect(text).toContain('[0.0999755859375,3]');
    expect(printGraph(parseGraph(text, primitiveNamed))).toBe(text);
  });

  test('widened and narrowed again is itself', () => {
    expect(cast(cast(half, 'float32'), 'float16')).toBe(half);
    expect(cast(cast(half, 'int32'), 'float16')).not.toBe(half);
  });

  test('is no input or output', () => {
    expect(() => emitModel(closeGraph([['x', x]], [['y', half]]))).toThrow(/the host can hold; got `y` of float16/);
    const input = placeholder({ dtype: 'float16', shape: [2] });
    expect(() => emitModel(closeGraph([['x', input]], [['y', cast(input, 'float32')]]))).toThrow(/got `x` of float16/);
  });
});

describe('primitives of float16', () => {
  /** Values of a function of a float16 operand, and the gradient of their sum weighted by `weights`, by ONNX Runtime. */
  async function results(f: (x: Tensor) => Tensor, values: readonly number[], weights: readonly number[]) {
    const x = placeholder({ dtype: 'float32', shape: [values.length] });
    const w = placeholder(x);
    const y = cast(f(cast(x, 'float16')), 'float32');
    const graph = closeGraph(
      [
        ['x', x],
        ['w', w],
      ],
      [
        ['y', y],
        ['d', gradient(reduceSum(multiply(y, w)), x)],
      ],
    );
    const inputs = { x: Float32Array.from(values), w: Float32Array.from(weights) };
    return { graph, actual: await executeGraph(runtime, graph, inputs), wanted: interpret(graph, inputs) };
  }

  const large = [900, -800, 700, 650, -1000, 300, 20, 30_000];
  const weights = [1, -2, 0.5, 3, 1, -1, 2, 0.25];

  test.each([
    ['layerNorm', (x: Tensor) => layerNorm(x)],
    ['rmsNorm', (x: Tensor) => rmsNorm(x)],
    ['groupNorm', (x: Tensor) => reshape(groupNorm(reshape(x, [1, 2, 4]), 1), [8])],
    ['softmax', (x: Tensor) => softmax(x)],
    ['reduceMean', (x: Tensor) => multiply(x, multiply(reduceMean(x), 0.001))],
  ] as const)('%s takes sums that float16 does not hold', async (_name, f) => {
    const { actual, wanted } = await results(f, large, weights);
    expect(relativeError(actual.y, wanted.y)).toBeLessThan(2 ** -9);
    expect(relativeError(actual.d, wanted.d)).toBeLessThan(2 ** -9);
  });

  test.each([
    ['gelu', gelu],
    ['geluTanh', geluTanh],
  ] as const)('%s has slopes of 0 and 1 far from 0', async (_name, f) => {
    const { actual } = await results(f, large, weights);
    expect([...actual.d]).toEqual(large.map((x, i) => weights[i] * Number(x > 0)));
  });

  test('norms and softmax keep results in float16 for the gradient, and statistics in float32', () => {
    const x = cast(placeholder({ dtype: 'float32', shape: [2, 4] }), 'float16');
    const types = (y: Tensor) => y.call!.outputs.map(({ dtype }) => dtype);
    expect(types(softmax(x))).toEqual(['float16']);
    expect(types(layerNorm(x))).toEqual(['float16', 'float32', 'float32']);
    expect(types(rmsNorm(x))).toEqual(['float16', 'float32']);
    expect(types(groupNorm(x, 2))).toEqual(['float16', 'float16', 'float32']);
  });
});
