import { describe, expect, it } from 'vitest';
import { transportOptimum } from '../../src/analysis/transport-optimum.ts';
import type { KeptPairs } from '../../src/coupling/coupling.ts';
import { pairCost } from '../../src/coupling/transport-cost.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { transport1d } from '../../src/numerics/transport-1d.ts';
import { normalData, permutationsOf, tools } from '../coupling/pairing-tools.ts';

function pairs(count: number): KeptPairs {
  const rows = Uint32Array.from({ length: count }, (_, i) => i);
  return { rows, flipped: new Uint8Array(count), seeds: rows.map((row) => 900 + row) };
}

describe('the optimum of a set', () => {
  it.each(['squared', 'l2'] as const)('is the best of all permutations, by %s cost', async (cost) => {
    const data = normalData(6, 3);
    const kept = pairs(6);
    const { sourceOf, ...optimum } = await transportOptimum(kept, { data, cost, tools });
    const rows = {
      target: await data.read(kept.rows, kept.flipped),
      source: normalsFromSeeds(kept.seeds, 3),
      elements: 3,
    };
    const mean = (order: ArrayLike<number>) =>
      Array.from(order).reduce((sum, column, row) => sum + pairCost(cost, rows, [row, column]), 0) / 6;
    expect(optimum.cost).toBeCloseTo(Math.min(...permutationsOf(6).map(mean)), 6);
    expect(optimum.cost).toBeCloseTo(mean(sourceOf), 12);
    expect(optimum.present).toBeCloseTo(mean([0, 1, 2, 3, 4, 5]), 12);
  });

  it('is transport on the line in one dimension, over more rows than a block of costs', async () => {
    const data = normalData(1100, 1, { spread: 3 });
    const kept = pairs(1100);
    const { cost } = await transportOptimum(kept, { data, cost: 'squared', tools });
    const target = Float64Array.from(await data.read(kept.rows, kept.flipped));
    const source = Float64Array.from(normalsFromSeeds(kept.seeds, 1));
    expect(cost).toBeCloseTo(transport1d(source, target, { power: 2 }).cost, 6);
  });

  it('is refused for more pairs than memory is for', async () => {
    const data = normalData(2, 1);
    const options = { data, cost: 'squared', tools } as const;
    await expect(transportOptimum(pairs(10_001), options)).rejects.toThrow(
      'at most 10000 pairs for an exact optimum; got 10001',
    );
  });
});
