import { describe, expect, it } from 'vitest';
import { memorisation, nearestDistances } from '../../src/analysis/memorisation.ts';
import { rowSet } from '../../src/numerics/distance-tiles.ts';
import { hostDotProducts as products } from '../../src/numerics/dot-products.ts';
import { nearestNeighbours } from '../../src/numerics/nearest-neighbours.ts';
import { memorisedBelow } from '../../src/numerics/nearest-ratio.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';

const elements = 4;
const values = normalsFromSeeds(Uint32Array.of(1), 50 * elements);
const data = rowSet(values, elements);
const measured = async (samples: Float32Array, rows = data) => {
  return memorisation(await nearestNeighbours(rowSet(samples, elements), rows, { products, k: 2 }));
};

describe('memorisation', () => {
  it('is 1 for exact copies and copies with a little noise', async () => {
    for (const scale of [0, 1e-3]) {
      const noise = normalsFromSeeds(Uint32Array.of(2), values.length);
      const found = await measured(values.map((value, i) => value + scale * noise[i]!));
      expect(found.memorised.mean).toBe(1);
      expect(found.ratio.mean).toBeLessThan(0.02);
    }
  });

  it('is 1 for copies of data that are there twice, whose ratio would be 0 / 0', async () => {
    const { ratios, memorised } = await measured(values, rowSet(Float32Array.from([...values, ...values]), elements));
    expect([...ratios]).toEqual(Array.from({ length: 50 }, () => 0));
    expect(memorised.mean).toBe(1);
  });

  it('is 0 for points far from all data, whose ratio is near 1', async () => {
    const { memorised, ratio, distance } = await measured(values.map((value) => value + 1000));
    expect(memorised.mean).toBe(0);
    expect(ratio.mean).toBeGreaterThan(0.99);
    expect(distance.mean).toBeGreaterThan(1900);
  });

  it('counts ratios below the threshold, a third by convention', () => {
    const neighbours = { k: 2, squaredDistances: Float64Array.of(1, 16, 1, 4, 9, 81), indices: new Uint32Array(6) };
    const found = memorisation(neighbours);
    expect([...nearestDistances(neighbours)]).toEqual([1, 1, 3]);
    expect([...found.ratios]).toEqual([0.25, 0.5, 3 / 9]);
    expect(found.threshold).toBe(memorisedBelow);
    expect(found.memorised.mean).toBe(1 / 3);
    expect(memorisation(neighbours, { threshold: 0.6 }).memorised.mean).toBe(1);
    expect(found.distance.mean).toBe(5 / 3);
  });

  it('wants two neighbours', () => {
    const one = { k: 1, squaredDistances: Float64Array.of(1), indices: Uint32Array.of(0) };
    expect(() => memorisation(one)).toThrow('two neighbours of each query or more');
  });
});
