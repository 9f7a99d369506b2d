import { afterAll, describe, expect, it } from 'vitest';
import { engineDotProducts } from '../../src/engine/dot-products.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { ConfigError } from '../../src/errors.ts';
import type { FeatureSet } from '../../src/metrics/feature-set.ts';
import { type PrecisionRecallOptions, precisionRecallMetrics } from '../../src/metrics/precision-recall.ts';
import { featureSet, normalFeatures } from './features.ts';

const runtime = await openNativeRuntime({ threads: 1 });
const engine = engineDotProducts(runtime);
afterAll(() => {
  engine.release();
  runtime.release();
});

const line = (...points: number[]) => featureSet(Float32Array.from(points), 1);

async function values(generated: FeatureSet, reference: FeatureSet, options: PrecisionRecallOptions = {}) {
  const { precision, recall, fScore, density, coverage } = await precisionRecallMetrics(generated, reference, options);
  return [precision, recall, fScore, density, coverage].map(({ value }) => value);
}

describe('precision, recall, F-score, density and coverage', () => {
  it('of points on a line are those of counting', async () => {
    // Radii of the reference 1, 1, 1, 1; of the generated points 9.5, 9.5.
    expect(await values(line(0.5, 10), line(0, 1, 2, 3), { k: 1 })).toEqual([0.5, 1, 2 / 3, 1, 0.5]);
  });

  it('count a point at the radius or not, as is asked', async () => {
    // 4 lies at the distance 1 of 3, whose radius is 1, and nothing else is near; the generated points have the radius 96.
    const [generated, reference] = [line(4, 100), line(0, 1, 2, 3)];
    expect(await values(generated, reference, { k: 1, comparison: 'at-most' })).toEqual([0.5, 1, 2 / 3, 0.5, 0.25]);
    expect(await values(generated, reference, { k: 1, comparison: 'below' })).toEqual([0, 1, 0, 0, 0]);
  });

  it('are 1 for a set beside itself, and 0 for sets far apart', async () => {
    const set = normalFeatures({ count: 80, dimensions: 6 });
    const [precision, recall, , , coverage] = await values(set, set);
    expect([precision, recall, coverage]).toEqual([1, 1, 1]);
    expect(await values(set, normalFeatures({ count: 50, dimensions: 6, mean: 1000 }))).toEqual([0, 0, 0, 0, 0]);
  });

  it('are high and low for generated images in the middle of the reference only', async () => {
    const generated = normalFeatures({ count: 200, dimensions: 16, deviation: 0.1 });
    const reference = normalFeatures({ count: 200, dimensions: 16, deviation: 3, index: 1 });
    const [precision, recall] = await values(generated, reference);
    expect(precision).toBeGreaterThan(0.8);
    expect(recall).toBeLessThan(0.3);
    expect((await values(reference, generated)).slice(0, 2)).toEqual([recall, precision]);
  });

  it('are the same bits in any tiles and by the engine', async () => {
    const generated = normalFeatures({ count: 300, dimensions: 24, deviation: 0.9, mean: 5 });
    const reference = normalFeatures({ count: 250, dimensions: 24, index: 1, mean: 5 });
    const whole = await precisionRecallMetrics(generated, reference);
    for (const options of [
      { tileRows: 17, tileColumns: 31 },
      { products: engine.products },
      { products: engine.products, tileRows: 100, tileColumns: 64 },
    ]) {
      expect(await precisionRecallMetrics(generated, reference, options)).toEqual(whole);
    }
  });

  it('of two draws of one distribution have density 1, coverage 1 - 2^-k, and precision like recall', async () => {
    const draw = (index: number) => normalFeatures({ count: 800, dimensions: 3, index });
    const { precision, recall, density, coverage } = await precisionRecallMetrics(draw(0), draw(1), { k: 5 });
    expect(Math.abs(density.value - 1)).toBeLessThan(5 * density.standardError!);
    const error = Math.hypot(precision.standardError!, recall.standardError!);
    expect(Math.abs(precision.value - recall.value)).toBeLessThan(5 * error);
    // Each of the nearest images of both sets comes from either with probability 1/2; a ball is empty if the k nearest are its own set's.
    expect(Math.abs(coverage.value - (1 - 2 ** -5))).toBeLessThan(5 * coverage.standardError!);
  });

  it('say k, comparison and counts, and refuse a k that the images do not allow', async () => {
    const set = normalFeatures({ count: 10, dimensions: 3 });
    const { density } = await precisionRecallMetrics(set, set, { k: 2, comparison: 'below' });
    expect(density.convention).toBe(
      'features=test network@abc123; reference=test data; reference-count=10; generated-count=10; k=2; radius=below',
    );
    await expect(precisionRecallMetrics(set, set, { k: 10 })).rejects.toThrow(ConfigError);
  });
});
