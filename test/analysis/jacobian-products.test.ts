import { afterAll, describe, expect, it } from 'vitest';
import { jacobianGraph, openJacobianProducts } from '../../src/analysis/jacobian-products.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { elementCount } from '../../src/engine/shape.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { dit } from '../../src/models/dit.ts';
import { mlp } from '../../src/models/mlp.ts';
import type { Model } from '../../src/models/model.ts';
import { unet } from '../../src/models/unet.ts';
import { predictionGraph, uniforms } from '../models/model-graphs.ts';
import { jacobianByDifferences, randomNetwork } from './jacobians.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

const small = { middle: false, attention: [], skips: 'sum', resample: 'pooling', groups: 2 } as const;
const models: readonly [string, Model][] = [
  ['an MLP', mlp({ shape: [5], hidden: [8, 7], activation: 'silu', timeFeatures: null, classes: null })],
  ['an MLP with labels', mlp({ shape: [2, 2], hidden: [6], activation: 'tanh', timeFeatures: 4, classes: 3 })],
  ['a U-Net', unet({ shape: [1, 4, 4], channels: [4, 6], blocks: 1, headChannels: 4, classes: null, ...small })],
  [
    'a U-Net with attention',
    unet({
      shape: [1, 2, 4],
      channels: [4, 4],
      blocks: 1,
      headChannels: 4,
      classes: 2,
      ...small,
      middle: true,
      attention: [1],
      skips: 'all',
      resample: 'convolution',
    }),
  ],
  ['a DiT', dit({ shape: [1, 4, 4], patch: 2, depth: 1, width: 8, heads: 2, classes: 2 })],
];

/** J w and J^T J w of a row, by the whole Jacobian. */
function byColumns(jacobian: Float64Array, w: Float32Array) {
  const width = w.length;
  const image = Array.from(w, (_, row) => w.reduce((sum, value, k) => sum + jacobian[row * width + k]! * value, 0));
  const normal = image.map((_, k) => image.reduce((sum, value, row) => sum + jacobian[row * width + k]! * value, 0));
  return { image, normal };
}

describe('products with the Jacobian of a network', () => {
  it.each(models)('of %s are those of the Jacobian by differences, row by row', async (_name, model) => {
    const elements = elementCount(model.input.shape);
    const { options, named } = randomNetwork(model, 2);
    verifyGraph(jacobianGraph(options));
    const products = await openJacobianProducts(runtime, options);
    expect([products.batch, products.elements]).toEqual([2, elements]);
    const x = uniforms(1, 2 * elements);
    const direction = uniforms(2, 2 * elements);
    const time = Float32Array.of(0.25, 0.75);
    const { image, normal } = await products.multiply({ x, time, direction });
    products.release();
    for (const row of [0, 1]) {
      const span = [row * elements, (row + 1) * elements] as const;
      const jacobian = jacobianByDifferences(model, named, { x: x.slice(...span), time: time[row]! });
      const expected = byColumns(jacobian, direction.slice(...span));
      const scale = Math.max(...expected.normal.map(Math.abs), ...expected.image.map(Math.abs));
      expect(scale).toBeGreaterThan(1e-3);
      for (let k = 0; k < elements; k++) {
        expect(Math.abs(image[span[0] + k]! - expected.image[k]!)).toBeLessThan(1e-4 * scale);
        expect(Math.abs(normal[span[0] + k]! - expected.normal[k]!)).toBeLessThan(1e-4 * scale);
      }
    }
  });

  it('are right where convolutions run on blocks of channels', async () => {
    const shape = [1, 8, 8] as const;
    const model = unet({ shape, channels: [16, 32], blocks: 1, headChannels: 16, classes: null, ...small, groups: 8 });
    const { options, named } = randomNetwork(model, 1, 0.2);
    const products = await openJacobianProducts(runtime, options);
    const [x, direction, time] = [uniforms(6, 64), uniforms(7, 64), Float32Array.of(0.5)];
    const { image, normal } = await products.multiply({ x, time, direction });
    products.release();
    const graph = predictionGraph(model, { batch: 1 });
    const velocity = (by: number) =>
      interpret(graph, { ...named, time, x: Array.from(x, (value, k) => value + by * direction[k]!) }).y!;
    const [ahead, behind] = [velocity(1e-5), velocity(-1e-5)];
    const expected = ahead.map((value, k) => (value - behind[k]!) / 2e-5);
    const scale = Math.max(...expected.map(Math.abs));
    for (const [k, value] of image.entries()) expect(Math.abs(value - expected[k]!)).toBeLessThan(1e-4 * scale);
    // <w, J^T J w> = |J w|^2.
    const product = direction.reduce((sum, value, k) => sum + value * normal[k]!, 0);
    expect(product / image.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 4);
  });

  it('are linear in the direction', async () => {
    const [, model] = models[0]!;
    const products = await openJacobianProducts(runtime, randomNetwork(model, 1).options);
    const at = { x: uniforms(3, 5), time: Float32Array.of(0.5) };
    const [a, b] = [uniforms(4, 5), uniforms(5, 5)];
    const of = async (direction: Float32Array) => (await products.multiply({ ...at, direction })).image;
    const [first, second] = [await of(a), await of(b)];
    const sum = await of(a.map((value, k) => 2 * value + b[k]!));
    for (const [k, value] of sum.entries()) expect(value).toBeCloseTo(2 * first[k]! + second[k]!, 5);
    products.release();
  });

  it('end when they are interrupted', async () => {
    const products = await openJacobianProducts(runtime, randomNetwork(models[0]![1], 1).options);
    const request = { x: uniforms(3, 5), time: Float32Array.of(0.5), direction: uniforms(4, 5) };
    await expect(products.multiply({ ...request, signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
    products.release();
  });
});
