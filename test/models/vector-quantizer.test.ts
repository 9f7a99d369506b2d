import { describe, expect, onTestFinished, test } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { cast, multiply, reduceSum, sin } from '../../src/engine/ops.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { codeCounts } from '../../src/models/codebook-usage.ts';
import { type Quantized, vectorQuantizer } from '../../src/models/vector-quantizer.ts';
import { centralDifference, executeGraph } from '../engine/execute-graph.ts';
import { uniforms } from './model-graphs.ts';

const sizes = { codes: 9, channels: 3, commitment: 0.25 };
const shape = [2, 3, 2, 4]; // 16 positions
const quantizer = vectorQuantizer(sizes);

/** Graph of what `f` makes of a quantised map: inputs `codebook`, `x` and `w`, float64, w shaped like x. */
function graphOf(f: (quantized: Quantized, inputs: Record<'codebook' | 'x' | 'w', Tensor>) => Record<string, Tensor>) {
  return trace((inputs) => f(quantizer.quantize(inputs.codebook, inputs.x), inputs), {
    codebook: tensorType([sizes.codes, sizes.channels], 'float64'),
    x: tensorType(shape, 'float64'),
    w: tensorType(shape, 'float64'),
  });
}

const inputs = { codebook: uniforms(1, 27), x: uniforms(2, 48, 1.5), w: uniforms(3, 48) };

/** Values of one position of a [2, 3, 2, 4] map. */
function positionOf(map: ArrayLike<number>, position: number): number[] {
  const sample = Math.floor(position / 8);
  return [0, 1, 2].map((channel) => map[(sample * 3 + channel) * 8 + (position % 8)]);
}

function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a, (value, i) => (value - b[i]) ** 2).reduce((sum, square) => sum + square);
}

const codeOf = (index: number) => inputs.codebook.slice(3 * index, 3 * index + 3);

describe('quantising', () => {
  const values = interpret(
    graphOf(({ quantized, indices, ...losses }) => ({ quantized, indices, ...losses })),
    inputs,
  );

  test('gives every position the code at the smallest distance', () => {
    for (let position = 0; position < 16; position++) {
      const z = positionOf(inputs.x, position);
      const distances = Array.from({ length: sizes.codes }, (_, index) => squaredDistance(z, codeOf(index)));
      const nearest = distances.indexOf(Math.min(...distances));
      expect(values.indices[position]).toBe(nearest);
      expect(positionOf(values.quantized, position)).toEqual([...codeOf(nearest)]);
    }
  });

  test('has as losses the mean squared distances of each sample', () => {
    for (const sample of [0, 1]) {
      const part = (map: ArrayLike<number>) => Array.from(map).slice(24 * sample, 24 * sample + 24);
      const wanted = squaredDistance(part(inputs.x), part(values.quantized)) / 24;
      expect(values.codebookLoss[sample]).toBeCloseTo(wanted, 12);
      expect(values.commitmentLoss[sample]).toBeCloseTo(wanted, 12);
      expect(values.loss[sample]).toBeCloseTo(1.25 * wanted, 12);
    }
  });

  test('of codes gives the codes, without loss', () => {
    const chosen = Array.from({ length: 16 }, (_, position) => (5 * position) % sizes.codes);
    const x = new Float32Array(48);
    for (const [position, index] of chosen.entries()) {
      for (const [channel, value] of codeOf(index).entries()) {
        x[(Math.floor(position / 8) * 3 + channel) * 8 + (position % 8)] = value;
      }
    }
    const again = interpret(
      graphOf(({ quantized, indices, loss }) => ({ quantized, indices, loss })),
      { ...inputs, x },
    );
    expect([...again.indices]).toEqual(chosen);
    expect([...again.quantized]).toEqual([...x]);
    expect([...again.loss]).toEqual([0, 0]);
  });

  test('is undone by the vectors of its indices', () => {
    const vectors = graphOf(({ indices }, { codebook }) => ({ vectors: quantizer.vectors(codebook, indices) }));
    expect(interpret(vectors, inputs).vectors).toEqual(values.quantized);
  });
});

describe('the gradient of quantising', () => {
  test('goes straight through to the input, and not to the codebook', () => {
    const graph = graphOf(({ quantized }, { x, codebook, w }) => {
      const [byX, byCodebook] = gradient(reduceSum(multiply(sin(quantized), w)), [x, codebook]);
      return { byX, byCodebook, quantized };
    });
    const { byX, byCodebook, quantized } = interpret(graph, inputs);
    for (const [i, value] of byX.entries()) expect(value).toBeCloseTo(Math.cos(quantized[i]) * inputs.w[i], 12);
    expect([...byCodebook]).toEqual(new Array(27).fill(0));
  });

  test.each([
    { loss: 'codebookLoss', moved: 'codebook', still: 'x' },
    { loss: 'commitmentLoss', moved: 'x', still: 'codebook' },
  ] as const)('of $loss is the central difference by $moved, and zero by $still', ({ loss, moved, still }) => {
    const gradients = graphOf((quantized, tensors) => {
      const [g, none] = gradient(reduceSum(quantized[loss]), [tensors[moved], tensors[still]]);
      return { g, none };
    });
    const { g, none } = interpret(gradients, inputs);
    const direction = uniforms(4, g.length);
    const wanted = centralDifference(
      graphOf((quantized) => ({ sum: reduceSum(quantized[loss]) })),
      { inputs, directions: { [moved]: direction } },
    );
    expect(g.reduce((sum, value, i) => sum + value * direction[i], 0)).toBeCloseTo(wanted[0], 8);
    expect(none.every((value) => value === 0)).toBe(true);
  });
});

describe('in the runtime', () => {
  test('thousands of codes become themselves, bit by bit, and are counted', async () => {
    const runtime = await openNativeRuntime({ threads: 2 });
    onTestFinished(() => runtime.release());
    const codes = 3000;
    const many = vectorQuantizer({ codes, channels: 4, commitment: 0.25 });
    const types = { codebook: tensorType([codes, 4]), x: tensorType([1, 4, 30, 70]) };
    const graph = trace(({ codebook, x }) => {
      const { quantized, indices, loss } = many.quantize(codebook, x);
      return { quantized, indices: cast(indices, 'int32'), loss, counts: codeCounts(indices, codes) };
    }, types);
    const codebook = uniforms(6, 4 * codes);
    const chosen = Array.from({ length: 2100 }, (_, position) => (position * position) % codes);
    const x = new Float32Array(4 * 2100);
    for (let i = 0; i < x.length; i++) x[i] = codebook[4 * chosen[i % 2100] + Math.floor(i / 2100)];
    const { quantized, indices, loss, counts } = await executeGraph(runtime, graph, { codebook, x });
    expect(quantized).toEqual(x);
    expect([...(indices as Int32Array)]).toEqual(chosen);
    expect([...(loss as Float32Array)]).toEqual([0]);
    const wanted = new Float32Array(codes);
    for (const index of chosen) wanted[index]++;
    expect(counts).toEqual(wanted);
  });
});

test('refuses other channels, and sizes that are none', () => {
  const quantize = (x: readonly number[]) =>
    trace((tensors) => quantizer.quantize(tensors.codebook, tensors.x).loss, {
      codebook: tensorType([9, 3]),
      x: tensorType(x),
    });
  expect(() => quantize([2, 4, 2, 4])).toThrow(/`x` to be \[batch, 3, height, width\]; got \[2, 4, 2, 4\]/);
  expect(() => quantize([2, 3, 8])).toThrow(/got \[2, 3, 8\]/);
  expect(() => vectorQuantizer({ ...sizes, codes: 0 })).toThrow(/integers >= 1.*got 0, 3 and 0.25/);
  expect(() => vectorQuantizer({ ...sizes, commitment: -1 })).toThrow(/`commitment` a number >= 0/);
});
