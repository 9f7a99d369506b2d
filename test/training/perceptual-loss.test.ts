import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { importOnnx } from '../../src/engine/onnx/import-model.ts';
import { encodeModel, type OnnxInitializer } from '../../src/engine/onnx/model-proto.ts';
import { reduceSum, transpose } from '../../src/engine/ops.ts';
import { elementCount } from '../../src/engine/shape.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { mulberry32Array } from '../../src/numerics/mulberry32.ts';
import { type PerceptualOptions, perceptualLoss } from '../../src/training/perceptual-loss.ts';
import { executeGraph, relativeError } from '../engine/execute-graph.ts';
import { node, spec } from '../engine/tiny-models.ts';

interface Fill {
  readonly shape: readonly number[];
  readonly seed: number;
  readonly scale: number;
}

const golden = JSON.parse(readFileSync(new URL('../golden/perceptual-loss.json', import.meta.url), 'utf8')) as {
  readonly tensors: Readonly<Record<string, Fill>>;
  readonly cases: readonly {
    readonly normalize: boolean;
    readonly heads: boolean;
    readonly losses: readonly number[];
    readonly gradient: readonly number[];
  }[];
};

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

/** A tensor of the golden file. */
function filled(name: string): Float32Array {
  const { shape, seed, scale } = golden.tensors[name]!;
  return Float32Array.from(mulberry32Array(seed, elementCount(shape)), (u) => scale * (2 * u - 1));
}

function initializer(name: string): OnnxInitializer {
  return { name, dtype: 'float32', shape: golden.tensors[name]!.shape, data: filled(name) };
}

const shape = golden.tensors.images!.shape;
const pads = { name: 'pads', ints: [1, 1, 1, 1] };
const flat = node('flat = Flatten(second)');

/** Two convolutions with ReLU, as an ONNX file; batches of any size. */
const file = encodeModel({
  name: 'two-convolutions',
  nodes: [
    node('a = Conv(image, kernel1, bias1)', [pads]),
    node('first = Relu(a)'),
    node('b = Conv(first, kernel2, bias2)', [pads, { name: 'strides', ints: [2, 2] }]),
    node('second = Relu(b)'),
    flat,
  ],
  initializers: ['kernel1', 'bias1', 'kernel2', 'bias2'].map(initializer),
  inputs: [spec('image', shape)],
  outputs: [spec('flat', [2, 45])],
});
const network = importOnnx(file);
const heads = [filled('head1').map(Math.abs), filled('head2').map(Math.abs)];
const layers = (weighted: boolean) =>
  ['first', 'second'].map((name, i) => ({ name, weights: weighted ? heads[i]! : null }));

/** Losses, their sum's gradient with respect to both images. */
function lossGraph(options: Omit<PerceptualOptions, 'network'>, size = shape) {
  const loss = perceptualLoss({ network, ...options });
  return trace(
    ({ images, others }) => {
      const losses = loss(images, others);
      const total = gradient(reduceSum(losses), { images, others });
      return { losses, slopes: total.images, otherSlopes: total.others };
    },
    { images: tensorType(size), others: tensorType(size) },
  );
}

const images = filled('images');
const others = filled('others');

describe('perceptualLoss', () => {
  it.each(golden.cases)('agrees with PyTorch, normalize $normalize, heads $heads', async (wanted) => {
    const graph = lossGraph({ layers: layers(wanted.heads), normalize: wanted.normalize });
    // Constants of the graph, such as the derivative of a mean, are rounded to float32 in both.
    const exact = interpret(graph, { images, others });
    expect(relativeError(exact.losses!, wanted.losses)).toBeLessThan(1e-7);
    expect(relativeError(exact.slopes!, wanted.gradient)).toBeLessThan(1e-7);
    const fast = await executeGraph(runtime, graph, { images, others });
    expect(relativeError(fast.losses as Float32Array, wanted.losses)).toBeLessThan(1e-6);
    expect(relativeError(fast.slopes as Float32Array, wanted.gradient)).toBeLessThan(1e-5);
  });

  it.each([true, false])('has the derivative that central differences show, normalize %s', (normalize) => {
    const graph = lossGraph({ layers: layers(true), normalize });
    const at = Float64Array.from(images);
    const { slopes } = interpret(graph, { images: at, others });
    const step = 1e-5;
    const sum = (values: Float64Array) => values.reduce((a, b) => a + b);
    for (const place of [0, 7, 44, 90, 133, 179]) {
      const moved = (by: number) => sum(interpret(graph, { images: at.with(place, at[place]! + by), others }).losses!);
      expect((moved(step) - moved(-step)) / (2 * step)).toBeCloseTo(slopes![place]!, 7);
    }
  });

  it('is 0 with derivative 0 at equal images, above 0 at others, and symmetric', async () => {
    const graph = lossGraph({ layers: layers(true) });
    const same = await executeGraph(runtime, graph, { images, others: images });
    expect([...(same.losses as Float32Array), ...(same.slopes as Float32Array)].every((value) => value === 0)).toBe(
      true,
    );
    const there = await executeGraph(runtime, graph, { images, others });
    const back = await executeGraph(runtime, graph, { images: others, others: images });
    expect(Math.min(...(there.losses as Float32Array))).toBeGreaterThan(0.01);
    expect(back.losses).toEqual(there.losses);
    expect(back.slopes).toEqual(there.otherSlopes);
  });

  it('is what the equation says, by hand', () => {
    // The network doubles two channels at one position: vectors (6, 8) and (0, 2), of directions (0.6, 0.8) and (0, 1).
    const doubling = encodeModel({
      name: 'doubling',
      nodes: [node('twice = Add(image, image)')],
      initializers: [],
      inputs: [spec('image', [1, 2, 1, 1])],
      outputs: [spec('twice', [1, 2, 1, 1])],
    });
    const lossOf = (options: Partial<PerceptualOptions>, weights: readonly number[] | null = null) => {
      const loss = perceptualLoss({ network: importOnnx(doubling), layers: [{ name: 'twice', weights }], ...options });
      const type = tensorType([1, 2, 1, 1]);
      const graph = trace(({ a, b }) => ({ loss: loss(a, b) }), { a: type, b: type });
      return interpret(graph, { a: [3, 4], b: [0, 1] }).loss![0]!;
    };
    expect(lossOf({})).toBeCloseTo((0.36 + 0.04) / 2, 7);
    expect(lossOf({}, [1, 10])).toBeCloseTo(0.36 + 10 * 0.04, 7);
    expect(lossOf({ normalize: false })).toBeCloseTo((36 + 36) / 2, 7);
    expect(lossOf({ normalize: false, prepare: (x) => transpose(x, [0, 1, 3, 2]) })).toBeCloseTo(36, 7);
  });

  it('has a finite derivative where all channels are 0', async () => {
    const same = encodeModel({
      name: 'identity',
      nodes: [node('same = Identity(image)')],
      initializers: [],
      inputs: [spec('image', [1, 2, 1, 1])],
      outputs: [spec('same', [1, 2, 1, 1])],
    });
    const loss = perceptualLoss({ network: importOnnx(same), layers: [{ name: 'same' }] });
    const type = tensorType([1, 2, 1, 1]);
    const graph = trace(({ a, b }) => ({ slope: gradient(reduceSum(loss(a, b)), a) }), { a: type, b: type });
    const { slope } = await executeGraph(runtime, graph, { a: Float32Array.of(0, 0), b: Float32Array.of(3, 4) });
    // The direction jumps from 0 to length 1; its derivative at 0 is 1 / sqrt(epsilon) = 1e4.
    expect(relativeError(slope as Float32Array, [-0.6e4, -0.8e4])).toBeLessThan(1e-5);
  });

  it('reads channels behind height and width', async () => {
    const size = [2, 3, 4, 5];
    const named = (name: string, from: readonly number[]) =>
      importOnnx(
        encodeModel({
          name,
          nodes: [node('map = Mul(image, gains)')],
          initializers: [
            {
              name: 'gains',
              dtype: 'float32',
              shape: name === 'last' ? [3] : [3, 1, 1],
              data: Float32Array.of(1, 2, 3),
            },
          ],
          inputs: [spec('image', from)],
          outputs: [spec('map', from)],
        }),
      );
    const ofNetwork = (options: Pick<PerceptualOptions, 'network' | 'channelsLast'>) => {
      const loss = perceptualLoss({ layers: [{ name: 'map', weights: [1, 2, 4] }], ...options });
      const graph = trace(({ a, b }) => ({ loss: loss(a, b) }), { a: tensorType(size), b: tensorType(size) });
      const values = (seed: number) => [...mulberry32Array(seed, 120)];
      return interpret(graph, { a: values(1), b: values(2) }).loss!;
    };
    const first = ofNetwork({ network: named('first', size) });
    expect(relativeError(ofNetwork({ network: named('last', [2, 4, 5, 3]), channelsLast: true }), first)).toBeLessThan(
      1e-12,
    );
  });

  it.each([
    [{ layers: [] }, 'Expected at least one layer; got none.'],
    [{ layers: [{ name: 'third' }] }, /a layer of the network, such as `a`, `first`, .*got `third`/],
    [{ layers: [{ name: 'first', weights: [1, 1, -1, 1] }] }, 'Expected weights of `first` to be at least 0; got -1.'],
    [{ layers: [{ name: 'first', weights: [1] }] }, '`weights` of layer `first` to be [channels] = [4]; got [1]'],
    [{ layers: [{ name: 'flat' }] }, /layer `flat` to have maps.*got f32\[2,45\].*Try an earlier layer/],
    [{ layers: [{ name: 'first' }], epsilon: 0 }, 'Expected `epsilon` to be above 0; got 0.'],
  ])('refuses %o', (options, message) => {
    expect(() => lossGraph(options)).toThrow(message);
  });

  it('refuses images of different types', () => {
    const loss = perceptualLoss({ network, layers: layers(false) });
    const types = { a: tensorType(shape), b: tensorType([2, 3, 6, 4]) };
    expect(() => trace(({ a, b }) => loss(a, b), types)).toThrow(/two batches of images of one type.*f32\[2,3,6,4\]/);
  });
});
