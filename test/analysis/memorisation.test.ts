import { describe, expect, it } from 'vitest';
import { memorisation, memorisedBelow } from '../../src/analysis/memorisation.ts';
import { nearestNeighbours } from '../../src/analysis/nearest-neighbours.ts';
import { hostDotProducts as products } from '../../src/numerics/dot-products.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { dataRows } from '../closed-form/data-rows.ts';

const elements = 4;
const values = normalsFromSeeds(Uint32Array.of(1), 50 * elements);
const data = dataRows(values, elements);
const measured = async (samples: Float32Array, rows = data) => {
  const neighbours = await nearestNeighbours(rows, samples, { products, count: 2 });
  return memorisation(neighbours, { samples: samples.length / elements });
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
    const { ratios, memorised } = await measured(values, dataRows(Float32Array.from([...values, ...values]), elements));
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
    const neighbours = { distances: Float64Array.of(1, 4, 1, 2, 3, 9), rows: new Int32Array(6) };
    const found = memorisation(neighbours, { samples: 3 });
    expect([...found.ratios]).toEqual([0.25, 0.5, 3 / 9]);
    expect(found.threshold).toBe(memorisedBelow);
    expect(found.memorised.mean).toBe(1 / 3);
    expect(memorisation(neighbours, { samples: 3, threshold: 0.6 }).memorised.mean).toBe(1);
    expect(found.distance.mean).toBe(5 / 3);
  });

  it('wants two neighbours', () => {
    const one = { distances: Float64Array.of(1), rows: Int32Array.of(0) };
    expect(() => memorisation(one, { samples: 1 })).toThrow('two neighbours of each sample or more');
  });
});
