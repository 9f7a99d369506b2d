import { describe, expect, it } from 'vitest';
import { ConfigError, NumericalError } from '../../src/errors.ts';
import { inceptionScoreMetric, inceptionScores } from '../../src/metrics/inception-score.ts';
import { featureSet } from './features.ts';

/** Sure predictions of all classes in turn. */
const oneHot = (count: number, classes: number) =>
  featureSet(
    Float32Array.from({ length: count * classes }, (_, at) =>
      at % classes === Math.floor(at / classes) % classes ? 1 : 0,
    ),
    classes,
  );

describe('the Inception score', () => {
  it.each([2, 5, 10])('is %d for sure and even predictions of as many classes, and 1 for equal ones', (classes) => {
    for (const score of inceptionScores(oneHot(classes * 20, classes), { splits: 4, seed: null })) {
      expect(score).toBeCloseTo(classes, 10);
    }
    const same = featureSet(new Float64Array(30 * classes).fill(1 / classes), classes);
    for (const score of inceptionScores(same)) expect(score).toBeCloseTo(1, 12);
  });

  it('is the formula of a case by hand', () => {
    const [p, q] = [0.9, 0.2];
    const m = (p + q) / 2;
    const divergence = (a: number) => a * Math.log(a / m) + (1 - a) * Math.log((1 - a) / (1 - m));
    const [score] = inceptionScores(featureSet(Float64Array.of(p, 1 - p, q, 1 - q), 2), { splits: 1 });
    expect(score).toBeCloseTo(Math.exp((divergence(p) + divergence(q)) / 2), 14);
  });

  it('divides all images among the parts, and says how', () => {
    const metric = inceptionScoreMetric(oneHot(103, 10), { splits: 10, seed: 3 });
    expect(metric).toMatchObject({ name: 'inception-score', unit: 'classes', samples: { generated: 103, splits: 10 } });
    expect(metric.convention).toBe('classifier=test network@abc123; generated-count=103; splits=10; seed=3');
    expect(metric.value).toBeLessThanOrEqual(10);
    expect(metric.standardError).toBeGreaterThan(0);
    expect(inceptionScoreMetric(oneHot(20, 4), { splits: 1 }).standardError).toBeNull();
  });

  it('refuses rows that are no distribution, and more parts than images', () => {
    expect(() => inceptionScores(featureSet(Float32Array.of(0.5, 0.4), 2), { splits: 1 })).toThrow(NumericalError);
    expect(() => inceptionScores(featureSet(Float32Array.of(1.5, -0.5), 2), { splits: 1 })).toThrow('in row 0');
    expect(() => inceptionScores(oneHot(5, 5))).toThrow(ConfigError);
  });
});
