import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { engineDoubleProducts } from '../../src/engine/dot-products.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { ConfigError, NumericalError, ShapeError } from '../../src/errors.ts';
import {
  createStatistics,
  type FeatureStatistics,
  statisticsOfFeatures,
  statisticsOfGaussian,
} from '../../src/metrics/feature-statistics.ts';
import { frechetDistance, frechetMetric } from '../../src/metrics/frechet-distance.ts';
import { extrapolateFrechet, frechetExtrapolationMetric } from '../../src/metrics/frechet-extrapolation.ts';
import type { Metric } from '../../src/metrics/metric.ts';
import { hostDoubleProducts } from '../../src/numerics/double-products.ts';
import { mulberry32Array } from '../../src/numerics/mulberry32.ts';
import { claimedOverTrue, featureSet, meanAndDeviation, normalFeatures, reflected } from './features.ts';

interface GoldenDistance {
  readonly seed: number;
  readonly dimensions: number;
  readonly counts: readonly [number, number];
  readonly decay: number;
  readonly distance: number;
}

const goldens: { readonly distances: readonly GoldenDistance[] } = JSON.parse(
  readFileSync(new URL('../golden/frechet.json', import.meta.url), 'utf8'),
);

const runtime = await openNativeRuntime({ threads: 2 });
const engine = engineDoubleProducts(runtime);
afterAll(() => {
  engine.release();
  runtime.release();
});

const origin = { network: 'test network', hash: 'abc123', data: 'stated' };

function gaussian(mean: readonly number[], covariance: readonly number[]): Promise<FeatureStatistics> {
  const stated = { count: 1000, mean: Float64Array.from(mean), covariance: Float64Array.from(covariance) };
  return statisticsOfGaussian(stated, origin);
}

async function distance(first: Promise<FeatureStatistics>, second: Promise<FeatureStatistics>): Promise<number> {
  return (await frechetDistance(await first, await second)).distance;
}

/** The two samples of a golden case. */
function samples({ seed, dimensions, counts, decay }: GoldenDistance) {
  const scaled = (values: Float64Array) =>
    featureSet(
      values.map((value, at) => value * decay ** (at % dimensions)),
      dimensions,
    );
  const first = mulberry32Array(seed, counts[0] * dimensions);
  const second = mulberry32Array(seed + 1, counts[1] * dimensions).map((u) => 1.5 * u + 0.1);
  return [scaled(first), scaled(second)] as const;
}

describe('the Fréchet distance', () => {
  it.each(goldens.distances)('of $counts samples in $dimensions dimensions agrees with others', async (golden) => {
    const [a, b] = samples(golden);
    const got = await distance(statisticsOfFeatures(a), statisticsOfFeatures(b));
    expect(Math.abs(got - golden.distance) / golden.distance).toBeLessThan(1e-12);
    const products = engine.products;
    const [first, second] = [await statisticsOfFeatures(a, { products }), await statisticsOfFeatures(b, { products })];
    const { distance: byEngine } = await frechetDistance(first, second, { products });
    expect(Math.abs(byEngine - golden.distance) / golden.distance).toBeLessThan(1e-12);
  });

  it('of Gaussians on the line is (m1 - m2)^2 + (s1 - s2)^2', async () => {
    expect(await distance(gaussian([0], [1]), gaussian([10], [1]))).toBeCloseTo(100, 12);
    expect(await distance(gaussian([0], [4]), gaussian([0], [9]))).toBeCloseTo(1, 12);
    expect(await distance(gaussian([0], [0]), gaussian([3], [4]))).toBe(13);
  });

  it('of diagonal covariances is the sum over the axes, and of equal ones that of the means', async () => {
    expect(await distance(gaussian([0, 0], [1, 0, 0, 4]), gaussian([0, 0], [9, 0, 0, 16]))).toBeCloseTo(8, 12);
    const same = [2, 0.5, 0.5, 1];
    expect(await distance(gaussian([1, 2], same), gaussian([4, 6], same))).toBeCloseTo(25, 12);
  });

  it('of identity covariances in 2048 dimensions, with means of zeros and of ones, is 2048', async () => {
    const products = engine.products;
    const covariance = new Float64Array(2048 * 2048);
    for (let i = 0; i < 2048; i++) covariance[2049 * i] = 1;
    const side = (value: number) => {
      const mean = new Float64Array(2048).fill(value);
      return statisticsOfGaussian({ count: 10_000, mean, covariance }, origin, { products });
    };
    const { distance: whole, means } = await frechetDistance(await side(0), await side(1), { products });
    expect(means).toBe(2048);
    expect(Math.abs(whole - 2048)).toBeLessThan(1e-9);
  });

  it('of covariances that do not commute is that of 2 x 2 matrices by hand', async () => {
    // tr (S1 S2)^(1/2) of 2 x 2 matrices is sqrt(tr(S1 S2) + 2 sqrt(det S1 det S2)).
    const s = [2, 1, 1, 3] as const;
    const t = [5, -2, -2, 1] as const;
    const trace = s[0] * t[0] + s[1] * t[2] + s[2] * t[1] + s[3] * t[3];
    const root = Math.sqrt(trace + 2 * Math.sqrt((s[0] * s[3] - s[1] ** 2) * (t[0] * t[3] - t[1] ** 2)));
    expect(await distance(gaussian([0, 0], s), gaussian([0, 0], t))).toBeCloseTo(2 + 3 + 5 + 1 - 2 * root, 12);
  });

  it.each([
    [5, 8, 16],
    [60, 40, 16],
    [3, 200, 10],
    [2, 2, 3],
  ])(
    'of %d and %d images in %d dimensions is 0 on itself, symmetric, and does not change under a rotation',
    async (m, n, d) => {
      const a = normalFeatures({ count: m, dimensions: d });
      const b = normalFeatures({ count: n, dimensions: d, mean: 0.3, deviation: 2, index: 1 });
      const [first, second] = [statisticsOfFeatures(a), statisticsOfFeatures(b)];
      const scale = (await first).trace + (await second).trace;
      const itself = await distance(first, first);
      expect(itself / scale).toBeLessThan(1e-14);
      expect(itself).toBeGreaterThanOrEqual(0);
      const value = await distance(first, second);
      expect(Math.abs((await distance(second, first)) - value) / scale).toBeLessThan(1e-14);
      const axis = Float64Array.from(normalFeatures({ count: 1, dimensions: d, index: 2 }).values);
      const turned = await distance(statisticsOfFeatures(reflected(a, axis)), statisticsOfFeatures(reflected(b, axis)));
      expect(Math.abs(turned - value) / scale).toBeLessThan(1e-13);
    },
  );

  it('is a number for constant and repeated features, and an error for one image', async () => {
    const constant = statisticsOfFeatures(featureSet(new Float32Array(16).fill(0.5), 4));
    const rows = Float32Array.of(1, 2, 3, 4, 1, 2, 3, 4, 9, 9, 9, 9, 9, 9, 9, 9);
    const repeated = statisticsOfFeatures(featureSet(rows, 4));
    expect(await distance(constant, constant)).toBe(0);
    const { mean, trace } = await repeated;
    const expected = mean.reduce((sum, m) => sum + (m - 0.5) ** 2, 0) + trace;
    expect(await distance(constant, repeated)).toBeCloseTo(expected, 12);
    await expect(statisticsOfFeatures(featureSet(new Float32Array(4), 4))).rejects.toThrow('at least two images');
  });

  it('refuses features of other networks, and matrices that do not fit', async () => {
    const a = await gaussian([0], [1]);
    await expect(frechetDistance(a, { ...a, hash: 'other' })).rejects.toThrow(ConfigError);
    await expect(gaussian([0, 0], [1, 0, 0])).rejects.toThrow(ShapeError);
    await expect(gaussian([0], [-1])).rejects.toThrow(NumericalError);
  });
});

describe('statistics of features', () => {
  it('of three constant images 0, 1/2, 1 have mean 1/2 and covariances 1/4 everywhere', async () => {
    const d = 12;
    const values = Float32Array.from({ length: 3 * d }, (_, at) => Math.floor(at / d) / 2);
    const { mean, factor, trace, count } = await statisticsOfFeatures(featureSet(values, d));
    expect(count).toBe(3);
    expect(mean).toEqual(new Float64Array(d).fill(0.5));
    for (let j = 0; j < d; j++) {
      for (let k = 0; k < d; k++) {
        let entry = 0;
        for (let start = 0; start < factor.length; start += d) entry += factor[start + j]! * factor[start + k]!;
        expect(entry).toBeCloseTo(0.25, 15);
      }
    }
    expect(trace).toBeCloseTo(d / 4, 14);
  });

  it.each([3, 12, 13, 100])('of %d rows have the same bits in pieces', async (count) => {
    const set = normalFeatures({ count, dimensions: 12 });
    const whole = await statisticsOfFeatures(set);
    for (const piece of [1, 5, 12, 99]) {
      const accumulator = createStatistics(set);
      for (let row = 0; row < count; row += piece) {
        await accumulator.add(set.values.subarray(row * 12, Math.min(count, row + piece) * 12));
      }
      expect(await accumulator.finish()).toEqual(whole);
    }
  });

  it('take a factor of the rows or of the covariance, with the same distances', async () => {
    const reference = await statisticsOfFeatures(normalFeatures({ count: 50, dimensions: 10, deviation: 2, index: 4 }));
    const set = normalFeatures({ count: 10, dimensions: 10 });
    const byRows = await statisticsOfFeatures(set);
    const columns = byRows.factor.map((_, at) => byRows.factor[(at % 10) * 10 + Math.floor(at / 10)]!);
    const covariance = await hostDoubleProducts(columns, columns, 10);
    const byCovariance = await statisticsOfGaussian({ count: 10, mean: byRows.mean, covariance }, set);
    expect(byCovariance.factor.length / 10).toBe(9);
    const [one, other] = [await frechetDistance(byRows, reference), await frechetDistance(byCovariance, reference)];
    expect(one.distance / other.distance).toBeCloseTo(1, 12);
  });
});

describe('the Fréchet metric', () => {
  const d = 6;
  // The true distance from the reference N(0, I): 6 (0.5^2 + (1.5 - 1)^2) = 3.
  const generated = (seed: number, count = 300) =>
    normalFeatures({ count, dimensions: d, mean: 0.5, deviation: 1.5, seed });
  const identity = Array.from({ length: d * d }, (_, at) => (at % (d + 1) === 0 ? 1 : 0));
  const reference = gaussian(new Array<number>(d).fill(0), identity);

  it('has a standard error like the deviation over draws, and the extrapolation less bias', async () => {
    const draws = 120;
    const [plain, infinite] = [[] as Metric[], [] as Metric[]];
    for (let seed = 0; seed < draws; seed++) {
      plain.push(await frechetMetric(generated(seed), await reference));
      infinite.push(await frechetExtrapolationMetric(generated(seed), await reference));
    }
    for (const metrics of [plain, infinite]) {
      expect(claimedOverTrue(metrics)).toBeGreaterThan(0.75);
      expect(claimedOverTrue(metrics)).toBeLessThan(1.3);
    }
    const { mean, deviation } = meanAndDeviation(infinite.map(({ value }) => value));
    expect(Math.abs(mean - 3)).toBeLessThan(4 * (deviation / Math.sqrt(draws)));
    // The plain distance is too large by its bias, which so many draws show.
    const bias = meanAndDeviation(plain.map(({ value }, i) => value - infinite[i]!.value));
    expect(bias.mean).toBeGreaterThan(4 * (bias.deviation / Math.sqrt(draws)));
  });

  it('says what it rests on', async () => {
    const metric = await frechetMetric(generated(1, 40), await reference, { groups: null });
    expect(metric).toEqual({
      name: 'frechet-distance',
      value: expect.any(Number),
      unit: 'squared feature units',
      samples: { generated: 40, reference: 1000 },
      standardError: null,
      convention:
        'features=test network@abc123; reference=stated; reference-count=1000; generated-count=40; covariance=n-1',
    });
    const again = await frechetMetric(generated(1, 40), await reference);
    expect(again).toEqual(await frechetMetric(generated(1, 40), await reference));
    expect([again.convention, again.value]).toEqual([metric.convention, metric.value]);
  });

  it('lays its line through distances of subsets, the last of which is that of all', async () => {
    const { counts, distances, line } = await extrapolateFrechet(generated(2), await reference, { points: 5 });
    expect(counts).toEqual([30, 98, 165, 233, 300]);
    expect(distances[4]).toBe((await frechetMetric(generated(2), await reference, { groups: null })).value);
    expect(line.slope).toBeGreaterThan(0);
  });

  it('refuses groups and counts that the images do not allow', async () => {
    const few = generated(1, 8);
    await expect(frechetMetric(few, await reference, { groups: 5 })).rejects.toThrow('integer in [2, 4], or null');
    await expect(extrapolateFrechet(few, await reference)).rejects.toThrow(ConfigError);
    await expect(extrapolateFrechet(few, await reference, { points: 2 })).rejects.toThrow(ConfigError);
  });
});
