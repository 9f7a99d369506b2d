import { afterAll, describe, expect, it } from 'vitest';
import { openJacobianProducts } from '../../src/analysis/jacobian-products.ts';
import { lipschitzOverTime } from '../../src/analysis/lipschitz.ts';
import { spectralNorms } from '../../src/analysis/spectral-norm.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { mlp } from '../../src/models/mlp.ts';
import { parameterTypes } from '../../src/models/parameters.ts';
import { uniforms } from '../models/model-graphs.ts';
import { linearModel, matrixWith, randomNetwork } from './jacobians.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

describe('the Lipschitz estimate', () => {
  it('of v = t x W is t |W| at every time, and its growth is exp(|W| / 2)', async () => {
    const model = linearModel(4);
    const parameters = { weight: matrixWith([2, 1, 1, 0.5]) };
    const products = await openJacobianProducts(runtime, {
      model,
      parameterTypes: parameterTypes(model.parameters),
      parameters,
      batch: 4,
    });
    const pairs = { source: uniforms(1, 20), target: uniforms(2, 20) };
    const times = [0.1, 0.3, 0.5, 0.7, 0.9];
    const estimate = await lipschitzOverTime(products, { pairs, times }, { seed: 0, tolerance: 1e-3 });
    products.release();
    for (const [k, { time, median, mean, maximum }] of estimate.times.entries()) {
      expect(time).toBe(times[k]);
      for (const value of [median, mean.mean, maximum]) expect(value).toBeCloseTo(2 * time, 4);
      expect(mean.count).toBe(5);
    }
    expect(estimate.medianGrowth).toBeCloseTo(Math.E, 3);
    expect(estimate.maximumGrowth).toBeCloseTo(Math.E, 3);
    expect(estimate.convergence).toMatchObject({ count: 25, converged: 25, tolerance: 1e-3 });
    expect(estimate.convergence.largestResidual).toBeLessThanOrEqual(1e-3);
    expect(estimate.convergence.meanIterations).toBeLessThanOrEqual(estimate.convergence.mostIterations);
  });

  it('takes median, mean and maximum of the norms at t target + (1 - t) source', async () => {
    const model = mlp({ shape: [3], hidden: [16], activation: 'tanh', timeFeatures: null, classes: null });
    const products = await openJacobianProducts(runtime, randomNetwork(model, 4, 1).options);
    const pairs = { source: uniforms(1, 12, 3), target: uniforms(2, 12, 3) };
    const times = [0.25, 0.75];
    const { times: found, ...rest } = await lipschitzOverTime(products, { pairs, times }, { seed: 2, tolerance: 1e-4 });
    const all: number[] = [];
    for (const [k, t] of times.entries()) {
      const x = pairs.target.map((value, i) => t * value + (1 - t) * pairs.source[i]!);
      const points = { x, time: new Float64Array(4).fill(t) };
      const { norms } = await spectralNorms(products, points, { seed: 9, tolerance: 1e-4 });
      const sorted = [...norms].sort((a, b) => a - b);
      expect(found[k]!.median).toBeCloseTo((sorted[1]! + sorted[2]!) / 2, 4);
      expect(found[k]!.maximum).toBeCloseTo(sorted[3]!, 4);
      expect(found[k]!.mean.mean).toBeCloseTo(sorted.reduce((sum, one) => sum + one, 0) / 4, 4);
      expect(sorted[3]! - sorted[0]!).toBeGreaterThan(0.1);
      all.push(found[k]!.median);
    }
    products.release();
    expect(rest.medianGrowth).toBeCloseTo(Math.exp((all[0]! + all[1]!) / 2), 8);
    expect(rest.maximumGrowth).toBeGreaterThan(rest.medianGrowth);
  });

  it('of one point has the same median, mean and maximum', async () => {
    const model = linearModel(2);
    const products = await openJacobianProducts(runtime, {
      model,
      parameterTypes: parameterTypes(model.parameters),
      parameters: { weight: matrixWith([1, 0.5]) },
      batch: 2,
    });
    const pairs = { source: uniforms(1, 2), target: uniforms(2, 2) };
    const { times } = await lipschitzOverTime(products, { pairs, times: [0.5] }, { seed: 0 });
    products.release();
    expect(times[0]!.median).toBe(times[0]!.maximum);
    expect(times[0]!.mean.mean).toBe(times[0]!.maximum);
  });
});
