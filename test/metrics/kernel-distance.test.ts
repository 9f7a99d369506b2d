import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import {
  kernelDistance,
  kernelDistanceOfSubsets,
  kernelMetric,
  kernelSubsetMetric,
} from '../../src/metrics/kernel-distance.ts';
import type { Metric } from '../../src/metrics/metric.ts';
import { claimedOverTrue, featureSet, meanAndDeviation, normalFeatures, reflected } from './features.ts';

type Values = Float32Array | Float64Array;

/** Mean of (x.y / d + 1)^3 over all pairs, or over those of different rows. */
function meanKernel(a: Values, b: Values, { d, different }: { d: number; different: boolean }): number {
  let [sum, pairs] = [0, 0];
  for (let i = 0; i < a.length; i += d) {
    for (let j = 0; j < b.length; j += d) {
      if (different && i === j) continue;
      let product = 0;
      for (let k = 0; k < d; k++) product += a[i + k]! * b[j + k]!;
      sum += (product / d + 1) ** 3;
      pairs++;
    }
  }
  return sum / pairs;
}

describe('the kernel distance', () => {
  it.each([
    [2, 2, 1],
    [7, 11, 3],
    [600, 30, 4],
    [20, 1100, 2],
  ])('of %d and %d images in %d dimensions is the estimate as it is written, and symmetric', async (m, n, d) => {
    const a = normalFeatures({ count: m, dimensions: d });
    const b = normalFeatures({ count: n, dimensions: d, mean: 0.4, index: 1 });
    const value = await kernelDistance(a, b);
    const [x, y] = [a.values, b.values];
    const within = meanKernel(x, x, { d, different: true }) + meanKernel(y, y, { d, different: true });
    const expected = within - 2 * meanKernel(x, y, { d, different: false });
    expect(Math.abs(value - expected) / within).toBeLessThan(1e-13);
    expect(Math.abs((await kernelDistance(b, a)) - value) / within).toBeLessThan(1e-13);
  });

  it('does not change under a rotation, nor with the order of the images', async () => {
    const a = normalFeatures({ count: 30, dimensions: 5 });
    const b = normalFeatures({ count: 40, dimensions: 5, mean: 1, index: 1 });
    const value = await kernelDistance(a, b);
    const axis = Float64Array.of(1, -2, 0.5, 3, 1);
    expect(await kernelDistance(reflected(a, axis), reflected(b, axis))).toBeCloseTo(value, 11);
    const backwards = a.values.map((_, at) => a.values[(29 - Math.floor(at / 5)) * 5 + (at % 5)]!);
    expect(await kernelDistance(featureSet(backwards, 5), b)).toBeCloseTo(value, 11);
  });

  it('is 0 on average for two draws of one distribution, and below 0 for a set beside itself', async () => {
    const values: number[] = [];
    for (let seed = 0; seed < 300; seed++) {
      const draw = (index: number) => normalFeatures({ count: 25, dimensions: 4, mean: 0.5, seed, index });
      values.push(await kernelDistance(draw(0), draw(1)));
    }
    const { mean, deviation } = meanAndDeviation(values);
    expect(Math.abs(mean)).toBeLessThan(4 * (deviation / Math.sqrt(300)));
    const set = normalFeatures({ count: 25, dimensions: 4 });
    expect(await kernelDistance(set, set)).toBeLessThan(0);
  });

  it('has a standard error like the deviation over draws', async () => {
    const metrics: Metric[] = [];
    for (let seed = 0; seed < 150; seed++) {
      const a = normalFeatures({ count: 50, dimensions: 4, mean: 0.5, seed });
      metrics.push(await kernelMetric(a, normalFeatures({ count: 70, dimensions: 4, seed, index: 1 })));
    }
    expect(claimedOverTrue(metrics)).toBeGreaterThan(0.8);
    expect(claimedOverTrue(metrics)).toBeLessThan(1.3);
  });

  it('of subsets is that of all images where a subset is all of them, and otherwise near it', async () => {
    const a = normalFeatures({ count: 60, dimensions: 3, mean: 1 });
    const b = normalFeatures({ count: 60, dimensions: 3, index: 1 });
    const whole = await kernelDistance(a, b);
    for (const value of await kernelDistanceOfSubsets(a, b, { subsets: 3, size: 60 }))
      expect(value).toBeCloseTo(whole, 10);
    const options = { subsets: 200, size: 20, seed: 7 };
    const metric = await kernelSubsetMetric(a, b, options);
    expect(Math.abs(metric.value - whole)).toBeLessThan(4 * metric.standardError!);
    expect(metric).toEqual(await kernelSubsetMetric(a, b, options));
    expect(metric.value).not.toBe((await kernelSubsetMetric(a, b, { ...options, seed: 8 })).value);
    expect(metric.convention).toContain('mean of 200 subsets of 20, seed 7');
  });

  it('refuses too few images and other networks, and claims no error of two images', async () => {
    const a = normalFeatures({ count: 5, dimensions: 3 });
    await expect(kernelDistance(a, normalFeatures({ count: 1, dimensions: 3 }))).rejects.toThrow('at least two images');
    await expect(kernelDistance(a, { ...a, network: 'another' })).rejects.toThrow(ConfigError);
    await expect(kernelSubsetMetric(a, a)).rejects.toThrow('Try a smaller size');
    expect((await kernelMetric(normalFeatures({ count: 2, dimensions: 3 }), a)).standardError).toBeNull();
  });
});
