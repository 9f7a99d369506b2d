import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { memorisationMetrics, trainingNeighbours } from '../../src/metrics/memorisation.ts';
import { stream } from '../../src/numerics/stream.ts';
import { featureSet, normalFeatures } from './features.ts';

const line = (...points: number[]) => featureSet(Float32Array.from(points), 1);

describe('memorisation', () => {
  it('finds the nearest training images, their ratio and authenticity on a line', async () => {
    const training = line(0, 4, 10, 10);
    const found = await trainingNeighbours(line(1, 4, 10, 7, -5), training);
    expect([...found.nearest]).toEqual([0, 1, 2, 1, 0]);
    expect([...found.distances]).toEqual([1, 0, 0, 3, 5]);
    // 10 occurs twice, so both distances are 0; 7 is as far from 4 as from 10.
    expect([...found.ratios]).toEqual([1 / 3, 0, 0, 1, 5 / 9]);
    // 0 and 4 are 4 apart: less than the distance of -5 only; the two tens are 0 apart, which is not below 0.
    expect([...found.authentic]).toEqual([0, 0, 0, 0, 1]);
  });

  it('tells copies from new images', async () => {
    const training = normalFeatures({ count: 100, dimensions: 8 });
    const random = stream(1, 'copies');
    const copies = training.values.slice(0, 400).map((value) => value + 0.01 * random.normal());
    const copied = await memorisationMetrics(featureSet(copies, 8), training);
    expect([copied.memorised.value, copied.authentic.value]).toEqual([1, 0]);
    expect(copied.ratio.value).toBeLessThan(0.05);
    const fresh = await memorisationMetrics(normalFeatures({ count: 100, dimensions: 8, index: 1 }), training);
    expect(fresh.memorised.value).toBeLessThan(0.05);
    expect(fresh.ratio.value).toBeGreaterThan(0.7);
    expect(fresh.authentic.value).toBeGreaterThan(10);
    expect(fresh.memorised.convention).toContain('threshold=0.333');
    expect(fresh.ratio.convention).not.toContain('threshold');
  });

  it('needs two training images and a threshold up to 1, and claims no error of one image', async () => {
    await expect(memorisationMetrics(line(1), line(1))).rejects.toThrow(ConfigError);
    await expect(memorisationMetrics(line(1), line(1, 2), { threshold: 0 })).rejects.toThrow('in (0, 1]');
    const { ratio } = await memorisationMetrics(line(1), line(1, 5));
    expect(JSON.parse(JSON.stringify(ratio))).toEqual(ratio);
    expect(ratio.standardError).toBeNull();
  });
});
