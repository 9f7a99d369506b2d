import { afterAll, describe, expect, it } from 'vitest';
import { type JacobianProducts, openJacobianProducts } from '../../src/analysis/jacobian-products.ts';
import { type SpectralNormOptions, spectralNorms } from '../../src/analysis/spectral-norm.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { NumericalError, ShapeError } from '../../src/errors.ts';
import { dit } from '../../src/models/dit.ts';
import { mlp } from '../../src/models/mlp.ts';
import type { Model } from '../../src/models/model.ts';
import { parameterTypes } from '../../src/models/parameters.ts';
import { unet } from '../../src/models/unet.ts';
import { uniforms } from '../models/model-graphs.ts';
import { jacobianByDifferences, linearModel, matrixWith, randomNetwork, singularValues } from './jacobians.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

/** Norms of v(x, t) = t x W at some times. */
async function linearNorms(
  singular: readonly number[],
  times: readonly number[],
  { batch = 3, scale = 1, ...options }: Partial<SpectralNormOptions> & { batch?: number; scale?: number } = {},
) {
  const model = linearModel(singular.length);
  const parameters = { weight: matrixWith(singular).map((value) => scale * value) };
  const network = { model, parameterTypes: parameterTypes(model.parameters), parameters, batch };
  const products = await openJacobianProducts(runtime, network);
  const points = { x: uniforms(1, times.length * singular.length), time: Float64Array.from(times) };
  try {
    return await spectralNorms(products, points, { seed: 0, ...options });
  } finally {
    products.release();
  }
}

describe('spectral norms of linear networks', () => {
  it('are the largest singular values, found to the square of the tolerance', async () => {
    const times = [0.1, 0.5, 1, 0.7, 0.2, 0.9, 0.3];
    const { norms, converged, residuals, iterations } = await linearNorms([3, 2, 2, 1, 0.5, 0.1], times);
    for (const [i, time] of times.entries()) {
      expect(norms[i]).toBeLessThanOrEqual(3 * time * (1 + 1e-6));
      expect(norms[i]! / (3 * time)).toBeGreaterThan(1 - 0.02 ** 2);
      expect(converged[i]).toBe(1);
      expect(residuals[i]).toBeLessThanOrEqual(0.02);
      expect(iterations[i]).toBeLessThan(20);
    }
  });

  it('do not depend on the batch, nor on what else is asked', async () => {
    const singular = [2, 1.5, 1, 0.2];
    const times = [0.3, 0.6, 0.9, 0.5, 0.8];
    const alone = await linearNorms(singular, times, { batch: 1 });
    const together = await linearNorms(singular, times, { batch: 4 });
    const fewer = await linearNorms(singular, times.slice(0, 2), { batch: 4 });
    expect([...together.iterations]).toEqual([...alone.iterations]);
    for (const [i, norm] of together.norms.entries()) expect(norm).toBeCloseTo(alone.norms[i]!, 6);
    expect([...fewer.norms]).toEqual([...together.norms.slice(0, 2)]);
  });

  it('rise from iteration to iteration, and never above the largest singular value', async () => {
    const found: number[] = [];
    for (const maxIterations of [1, 2, 4, 8, 16, 32]) {
      const { norms, iterations } = await linearNorms([1, 0.95, 0.9, 0.8, 0.7], [1], { maxIterations, tolerance: 0 });
      expect(iterations[0]).toBe(maxIterations);
      found.push(norms[0]!);
    }
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(found[0]).toBeLessThan(0.95);
    expect(found.at(-1)).toBeLessThanOrEqual(1 + 1e-6);
    expect(found.at(-1)).toBeGreaterThan(0.99);
  });

  it('have a residual within which there is a singular value', async () => {
    const singular = [1, 0.9, 0.6, 0.3];
    for (const maxIterations of [1, 3, 5]) {
      const { norms, residuals } = await linearNorms(singular, [1], { maxIterations, tolerance: 0 });
      const nearest = Math.min(...singular.map((value) => Math.abs(value ** 2 - norms[0]! ** 2)));
      expect(nearest).toBeLessThanOrEqual(residuals[0]! * norms[0]! ** 2 * (1 + 1e-4));
    }
  });

  it('say when the iterations did not suffice', async () => {
    const { converged, iterations, residuals } = await linearNorms([1, 0.9, 0.8], [1, 1], { maxIterations: 2 });
    expect([...converged]).toEqual([0, 0]);
    expect([...iterations]).toEqual([2, 2]);
    expect(Math.min(...residuals)).toBeGreaterThan(0.02);
  });

  it('are found at once where all singular values are equal, or 0', async () => {
    const equal = await linearNorms([2, 2, 2], [1]);
    expect(equal.iterations[0]).toBe(1);
    expect(equal.norms[0]).toBeCloseTo(2, 6);
    const none = await linearNorms([2, 2, 2], [1], { scale: 0 });
    expect([none.norms[0], none.residuals[0], none.converged[0], none.iterations[0]]).toEqual([0, 0, 1, 1]);
  });

  it('start from other vectors with another seed, and end at the same norm', async () => {
    const singular = [1, 0.8, 0.6, 0.4, 0.2];
    const [a, b] = [await linearNorms(singular, [1]), await linearNorms(singular, [1], { seed: 1 })];
    expect(a.norms[0]).not.toBe(b.norms[0]);
    expect(a.norms[0]).toBeCloseTo(b.norms[0]!, 3);
    const again = await linearNorms(singular, [1]);
    expect(again.norms[0]).toBe(a.norms[0]);
  });

  it('tell their progress, and end when they are interrupted', async () => {
    const told: { done: number; iterations: number }[] = [];
    await linearNorms([1, 0.5], [0.5, 0.5, 0.5, 0.5], { batch: 2, onProgress: (one) => void told.push(one) });
    expect(told.map(({ iterations }) => iterations)).toEqual(told.map((_, i) => i + 1));
    expect(told.at(-1)!.done).toBe(4);
    const controller = new AbortController();
    const stopped = linearNorms([1, 0.999], [1], {
      tolerance: 0,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('refuse points of another size, and stop at what is not finite', async () => {
    const products: JacobianProducts = {
      batch: 1,
      elements: 2,
      multiply: async () => ({ image: Float32Array.of(Number.NaN, 0), normal: Float32Array.of(0, 0) }),
      release() {},
    };
    const time = Float64Array.of(0.5);
    await expect(spectralNorms(products, { x: new Float32Array(3), time }, { seed: 0 })).rejects.toThrow(ShapeError);
    await expect(spectralNorms(products, { x: new Float32Array(2), time }, { seed: 0 })).rejects.toThrow(
      NumericalError,
    );
  });
});

const models: readonly [string, Model][] = [
  ['an MLP', mlp({ shape: [6], hidden: [12, 9], activation: 'gelu', timeFeatures: null, classes: null })],
  [
    'a U-Net',
    unet({
      shape: [1, 4, 4],
      channels: [4, 6],
      blocks: 1,
      attention: [1],
      headChannels: 2,
      middle: false,
      skips: 'blocks',
      resample: 'pooling',
      groups: 2,
      classes: null,
    }),
  ],
  ['a DiT', dit({ shape: [1, 4, 4], patch: 2, depth: 1, width: 8, heads: 2, classes: 2 })],
];

describe('spectral norms of networks', () => {
  it.each(models)('of %s are the largest singular values of their explicit Jacobians', async (_name, model) => {
    const { options, named } = randomNetwork(model, 2);
    const products = await openJacobianProducts(runtime, options);
    const { elements } = products;
    const points = { x: uniforms(9, 3 * elements), time: Float64Array.of(0.2, 0.5, 0.8) };
    const { norms, converged } = await spectralNorms(products, points, {
      seed: 4,
      tolerance: 1e-3,
      maxIterations: 500,
    });
    products.release();
    for (const [row, time] of points.time.entries()) {
      const x = points.x.slice(row * elements, (row + 1) * elements);
      const [largest] = singularValues(jacobianByDifferences(model, named, { x, time: Math.fround(time) }));
      expect(converged[row]).toBe(1);
      expect(norms[row]! / largest!).toBeCloseTo(1, 4);
    }
  });
});
