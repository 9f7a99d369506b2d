/** Convolutions of sizes that take the fast forms, and compositions that are no primitives. */
import { afterAll, describe, expect, test } from 'vitest';
import type { DType, HostArray } from '../../src/engine/dtype.ts';
import { gradient, vectorJacobianProduct } from '../../src/engine/gradient.ts';
import { closeGraph } from '../../src/engine/graph.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { emitModel } from '../../src/engine/onnx/emit.ts';
import { conv2d, convTranspose2d, multiply, reduceSum, resizeBilinear, resizeNearest } from '../../src/engine/ops.ts';
import { elementCount, type Shape } from '../../src/engine/shape.ts';
import { elementsOf, placeholder, type Tensor } from '../../src/engine/tensor.ts';
import { uniforms } from './examples.ts';

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

interface Run {
  readonly shapes: readonly Shape[];
  readonly dtype?: DType;
  readonly channelBlock?: number | null;
  readonly values?: readonly (readonly number[])[];
}

/** Outputs of a function on seeded inputs, computed by ONNX Runtime. */
async function outputs(
  f: (...inputs: Tensor[]) => Tensor[],
  { shapes, dtype = 'float32', channelBlock = null, values }: Run,
): Promise<HostArray[]> {
  const inputs = shapes.map((shape) => placeholder({ dtype, shape }));
  const graph = closeGraph(
    inputs.map((tensor, i) => [`x${i}`, tensor]),
    f(...inputs).map((tensor, i) => [`y${i}`, tensor]),
  );
  const session = await runtime.createSession(emitModel(graph, { channelBlock }));
  const next = uniforms(3);
  const drawn = shapes.map((shape) => Array.from({ length: elementCount(shape) }, () => Math.fround(2 * next() - 1)));
  const from = session.inputs.map((spec) => runtime.allocate(spec));
  for (const [i, tensor] of from.entries()) tensor.write(elementsOf(dtype, (values ?? drawn)[i]));
  const to = session.outputs.map((spec) => runtime.allocate(spec));
  const named = (list: typeof from) => Object.fromEntries(list.map((tensor) => [tensor.spec.name, tensor]));
  const binding = session.bind(named(from), named(to));
  await session.run(binding);
  const results = to.map((tensor) => tensor.read());
  for (const resource of [binding, session, ...from, ...to]) resource.release();
  return results;
}

function relativeError(actual: HostArray, wanted: HostArray): number {
  let worst = 0;
  let scale = 0;
  for (let i = 0; i < wanted.length; i++) {
    worst = Math.max(worst, Math.abs(Number(actual[i]) - Number(wanted[i])));
    scale = Math.max(scale, Math.abs(Number(wanted[i])));
  }
  return worst / scale;
}

describe('convolutions and their gradients in float32 equal those in float64', () => {
  const cases = [
    { name: '3x3', x: [3, 32, 14, 14], kernel: [16, 32, 3, 3], options: { padding: 1 } },
    { name: '3x3, more filters than channels', x: [3, 16, 14, 14], kernel: [48, 16, 3, 3], options: { padding: 1 } },
    { name: '3x3 on a block of samples', x: [16, 32, 8, 6], kernel: [16, 32, 3, 3], options: { padding: 1 } },
    { name: '3x3 stride 2, two blocks', x: [32, 16, 8, 8], kernel: [32, 16, 3, 3], options: { stride: 2, padding: 1 } },
    { name: '3x3 inside, a block', x: [16, 16, 7, 7], kernel: [16, 16, 3, 3], options: {} },
    { name: '3x3 on larger pictures', x: [16, 16, 28, 28], kernel: [16, 16, 3, 3], options: { padding: 1 } },
    {
      name: '5x3 stride 2, larger',
      x: [16, 16, 48, 32],
      kernel: [32, 16, 5, 3],
      options: { stride: 2, padding: [2, 1, 1, 0] },
    },
    {
      name: '3x3 with unequal paddings',
      x: [4, 16, 13, 11],
      kernel: [16, 16, 3, 3],
      options: { padding: [0, 2, 1, 1] },
    },
    { name: '3x3 stride 2', x: [3, 16, 28, 28], kernel: [32, 16, 3, 3], options: { stride: 2, padding: 1 } },
    { name: '3x3 dilated', x: [3, 16, 16, 16], kernel: [16, 16, 3, 3], options: { dilation: 2, padding: 2 } },
    { name: '1x1', x: [3, 32, 14, 14], kernel: [16, 32, 1, 1], options: {} },
    { name: '1x1 on few pixels', x: [3, 64, 2, 2], kernel: [48, 64, 1, 1], options: {} },
    { name: '5x5 same, one channel', x: [4, 1, 14, 14], kernel: [16, 1, 5, 5], options: { padding: 'same' } },
    { name: 'patches', x: [2, 3, 16, 16], kernel: [32, 3, 4, 4], options: { stride: 4 } },
    { name: '3x3 on few pixels', x: [2, 32, 4, 4], kernel: [32, 32, 3, 3], options: { padding: 'same' } },
    { name: '3x3 in two groups', x: [3, 32, 14, 14], kernel: [32, 16, 3, 3], options: { padding: 1, groups: 2 } },
  ] as const;

  test.each(cases)('$name', async ({ x, kernel, options }) => {
    const f = (input: Tensor, weights: Tensor, bias: Tensor): Tensor[] => {
      const y = conv2d(input, weights, { ...options, bias });
      const sources = [input, weights, bias];
      return [y, ...vectorJacobianProduct([y], sources, [multiply(y, y)])];
    };
    const shapes = [x, kernel, [kernel[0]]];
    const exact = await outputs(f as () => Tensor[], { shapes, dtype: 'float64' });
    for (const channelBlock of new Set([null, runtime.channelBlock])) {
      const single = await outputs(f as () => Tensor[], { shapes, channelBlock });
      for (const [i, wanted] of exact.entries())
        expect(relativeError(single[i], wanted), `output ${i}, block ${channelBlock}`).toBeLessThan(3e-6);
    }
  });

  test('the transposed convolution is the adjoint of the convolution', async () => {
    const options = { stride: 2, padding: 1 } as const;
    const [forward, backward] = await outputs(
      (x: Tensor, kernel: Tensor, y: Tensor) => [
        reduceSum(multiply(conv2d(x, kernel, options), y)),
        reduceSum(multiply(x, convTranspose2d(y, kernel, { ...options, outputPadding: 1 }))),
      ],
      {
        shapes: [
          [2, 3, 8, 6],
          [4, 3, 3, 3],
          [2, 4, 4, 3],
        ],
        dtype: 'float64',
      },
    );
    expect(Number(forward[0])).toBeCloseTo(Number(backward[0]), 10);
  });
});

function elements([array]: readonly HostArray[]): number[] {
  return Array.from(array as ArrayLike<number | bigint>, Number);
}

describe('pictures at another size', () => {
  const picture = [[0, 1, 2, 3]];

  test('nearest pixels, by whole and by broken factors', async () => {
    const run = (size: readonly [number, number]) =>
      outputs((x) => [resizeNearest(x, { size })], { shapes: [[1, 1, 2, 2]], values: picture });
    expect(elements(await run([4, 4]))).toEqual([0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3]);
    expect(elements(await run([3, 3]))).toEqual([0, 1, 1, 2, 3, 3, 2, 3, 3]);
    expect(elements(await run([1, 2]))).toEqual([2, 3]);
  });

  test('linear interpolation between pixel centres, constant beyond the outer ones', async () => {
    const y = await outputs((x) => [resizeBilinear(x, { scale: 2 })], { shapes: [[1, 1, 2, 2]], values: picture });
    expect(elements(y)).toEqual([0, 0.25, 0.75, 1, 0.5, 0.75, 1.25, 1.5, 1.5, 1.75, 2.25, 2.5, 2, 2.25, 2.75, 3]);
  });

  test('interpolation has weights that sum to one for each pixel, so that a gradient of ones keeps its sum', () => {
    const x = placeholder({ dtype: 'float64', shape: [1, 1, 3, 2] });
    const scalar = reduceSum(resizeBilinear(x, { size: [5, 7] }));
    const graph = closeGraph([['x', x]], [['total', reduceSum(gradient(scalar, x))]]);
    expect(interpret(graph, { x: [1, 2, 3, 4, 5, 6] }).total[0]).toBeCloseTo(35, 12);
  });
});
