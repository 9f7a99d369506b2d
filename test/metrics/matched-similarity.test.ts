import { describe, expect, it } from 'vitest';
import { ConfigError, NumericalError, ShapeError } from '../../src/errors.ts';
import { matchedSimilarity } from '../../src/metrics/matched-similarity.ts';
import type { Metric } from '../../src/metrics/metric.ts';
import { claimedOverTrue, featureSet, meanAndDeviation, normalFeatures } from './features.ts';

describe('similarity of matched pairs', () => {
  it('is 1 for positive multiples and -1 for negative ones', async () => {
    const set = normalFeatures({ count: 20, dimensions: 5 });
    const scaled = (factor: number) =>
      featureSet(
        set.values.map((value) => factor * value),
        5,
      );
    expect((await matchedSimilarity(set, scaled(4))).matched.value).toBeCloseTo(1, 14);
    expect((await matchedSimilarity(set, scaled(-1))).matched.value).toBeCloseTo(-1, 14);
  });

  it('stands beside the mean and deviation of all other pairs', async () => {
    const [count, d] = [600, 3];
    const a = normalFeatures({ count, dimensions: d, mean: 1 });
    const b = normalFeatures({ count, dimensions: d, index: 1 });
    const measured = await matchedSimilarity(a, b);
    const cosine = (i: number, j: number) => {
      let [xy, xx, yy] = [0, 0, 0];
      for (let k = 0; k < d; k++) {
        const [x, y] = [a.values[i * d + k]!, b.values[j * d + k]!];
        xy += x * y;
        xx += x * x;
        yy += y * y;
      }
      return xy / Math.sqrt(xx * yy);
    };
    const [own, others] = [[] as number[], [] as number[]];
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < count; j++) (i === j ? own : others).push(cosine(i, j));
    }
    expect(measured.matched.value).toBeCloseTo(meanAndDeviation(own).mean, 12);
    expect(measured.deviation).toBeCloseTo(meanAndDeviation(own).deviation, 12);
    expect(measured.unmatched.value).toBeCloseTo(meanAndDeviation(others).mean, 12);
    expect(measured.unmatchedDeviation).toBeCloseTo(meanAndDeviation(others).deviation, 10);
    expect(measured.unmatched.samples).toEqual({ pairs: count * (count - 1) });
  });

  it('of the unmatched is uncertain by about the deviation over draws', async () => {
    const metrics: Metric[] = [];
    for (let seed = 0; seed < 120; seed++) {
      const draw = (index: number) => normalFeatures({ count: 40, dimensions: 4, mean: 0.5, seed, index });
      metrics.push((await matchedSimilarity(draw(0), draw(1))).unmatched);
    }
    expect(claimedOverTrue(metrics)).toBeGreaterThan(0.8);
    expect(claimedOverTrue(metrics)).toBeLessThan(1.25);
  });

  it('refuses zeros, and sets that do not belong together', async () => {
    const set = normalFeatures({ count: 4, dimensions: 3 });
    await expect(matchedSimilarity(set, featureSet(new Float32Array(12), 3))).rejects.toThrow(NumericalError);
    await expect(matchedSimilarity(set, normalFeatures({ count: 5, dimensions: 3 }))).rejects.toThrow(ShapeError);
    await expect(matchedSimilarity(set, { ...set, hash: null })).rejects.toThrow(ConfigError);
  });
});
