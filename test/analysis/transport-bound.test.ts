import { describe, expect, it } from 'vitest';
import { transportBound } from '../../src/analysis/transport-bound.ts';
import { hostArgmaxProducts } from '../../src/numerics/argmax-products.ts';
import { solveAssignment } from '../../src/numerics/assignment.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { dataOfRows } from '../coupling/semidiscrete-problems.ts';

const normals = (seeds: Uint32Array, elements: number) => {
  const values = normalsFromSeeds(seeds, elements);
  return [...seeds.keys()].map((row) => [...values.subarray(row * elements, (row + 1) * elements)]);
};
const seedsFrom = (first: number, count: number) => Uint32Array.from({ length: count }, (_, i) => first + i);

/** Mean cost of the optimal assignment of noises to data, each datum as often as the others. */
function exactCost(data: readonly number[][], noises: readonly number[][]): number {
  const copies = noises.length / data.length;
  const squared = (x: readonly number[], z: readonly number[]) =>
    x.reduce((sum, value, k) => sum + (value - z[k]!) ** 2, 0);
  const values = Float32Array.from(
    noises.flatMap((z) => noises.map((_, column) => squared(data[Math.floor(column / copies)]!, z))),
  );
  const { rowToColumn } = solveAssignment({ values, rows: noises.length, columns: noises.length }, {});
  return (
    [...rowToColumn].reduce((sum, column, row) => sum + squared(data[Math.floor(column / copies)]!, noises[row]!), 0) /
    noises.length
  );
}

describe('the bound on the cost of pairings', () => {
  it.each([
    [200, 2, 1],
    [150, 30, 1],
    [60, 5, 4],
  ])(
    'of %i data of %i numbers with %i noises each is below the optimum and near it',
    async (count, elements, copies) => {
      const rows = normals(seedsFrom(10_000, count), elements).map((row, i) =>
        row.map((value) => value * (0.5 + (i % 4))),
      );
      const seeds = seedsFrom(500, count * copies);
      const exact = exactCost(rows, normals(seeds, elements));
      const data = dataOfRows(rows);
      const bounds: number[] = [];
      for (const most of [2, 10, 400]) {
        const { bound, passes } = await transportBound({
          seeds,
          data,
          openProducts: hostArgmaxProducts,
          passes: most,
          tolerance: 1e-5,
        });
        expect(passes).toBeLessThanOrEqual(most);
        expect(bound).toBeLessThanOrEqual(exact * (1 + 1e-6));
        bounds.push(bound);
      }
      expect(bounds[2]).toBeGreaterThan(bounds[0]!);
      expect(bounds[2]).toBeGreaterThan(exact * 0.99);
    },
  );

  it('ends early where the bound no longer rises, and refuses noises that data cannot share', async () => {
    const data = dataOfRows([
      [0, 0],
      [5, 5],
    ]);
    const parts = { data, openProducts: hostArgmaxProducts, passes: 10_000, tolerance: 1e-3 };
    const { passes, converged } = await transportBound({ ...parts, seeds: seedsFrom(0, 20) });
    expect(converged).toBe(true);
    expect(passes).toBeLessThan(10_000);
    await expect(transportBound({ ...parts, seeds: seedsFrom(0, 3) })).rejects.toThrow(
      /as many noises for each of 2 images; got 3/,
    );
  });
});
