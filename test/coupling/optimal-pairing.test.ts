import { describe, expect, it } from 'vitest';
import { optimalPairing, reportOf, takeRows } from '../../src/coupling/optimal-pairing.ts';
import { alignedCosts, assignmentCosts, type CostKind, pairCost } from '../../src/coupling/transport-cost.ts';
import { hostDotProducts } from '../../src/numerics/dot-products.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { stream } from '../../src/numerics/stream.ts';
import { permutationsOf, tools } from './pairing-tools.ts';

function problem(count: number, elements: number, seed: number) {
  const draw = (first: number) =>
    normalsFromSeeds(
      Uint32Array.from({ length: count }, (_, i) => first + i),
      elements,
    );
  return { source: draw(1000 * seed), target: draw(1000 * seed + 500), elements };
}

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);

describe.each<CostKind>(['squared', 'l2'])('the optimal pairing by %s cost', (kind) => {
  it('costs as little as the best of all permutations, whatever it starts from', async () => {
    for (let seed = 0; seed < 60; seed++) {
      const count = 2 + (seed % 6);
      const rows = problem(count, 1 + (seed % 4), seed);
      const best = Math.min(
        ...permutationsOf(count).map((order) =>
          order.reduce((total, column, row) => total + pairCost(kind, rows, [row, column]), 0),
        ),
      );
      for (const nearIdentity of [true, false]) {
        const { sourceOf, cost } = await optimalPairing(rows, { kind, groups: null, nearIdentity }, tools);
        expect(sum(cost)).toBeCloseTo(best, 5);
        expect(Array.from(sourceOf).sort()).toEqual(Array.from(sourceOf.keys()));
      }
    }
  });

  it('gives noises to rows of the same group alone, each group its best permutation', async () => {
    const rows = problem(9, 3, 7);
    const groups = Int32Array.of(5, 0, 5, 0, 5, 0, 5, 2, 0);
    const { sourceOf, cost } = await optimalPairing(rows, { kind, groups, nearIdentity: true }, tools);
    for (const [row, from] of sourceOf.entries()) expect(groups[from]).toBe(groups[row]);
    for (const group of [0, 5]) {
      const members = [...groups.keys()].filter((row) => groups[row] === group);
      const best = Math.min(
        ...permutationsOf(members.length).map((order) =>
          order.reduce((total, place, i) => total + pairCost(kind, rows, [members[i], members[place]]), 0),
        ),
      );
      expect(sum(members.map((row) => cost[row]))).toBeCloseTo(best, 5);
    }
    expect(sourceOf[7]).toBe(7);
  });

  it('reports costs in float64, of what it gave and of what there was', async () => {
    const rows = problem(40, 5, 3);
    const pairing = await optimalPairing(rows, { kind, groups: null, nearIdentity: false }, tools);
    expect(pairing.costBefore).toEqual(alignedCosts(kind, rows));
    const permuted = { ...rows, source: takeRows(rows.source, pairing.sourceOf, 5) };
    expect(pairing.cost).toEqual(alignedCosts(kind, permuted));
    const report = reportOf(pairing);
    expect(report.reassigned).toBe(pairing.sourceOf.filter((from, row) => from !== row).length);
    expect(report.cost).toBeCloseTo(sum(pairing.cost) / 40, 12);
    expect(report.cost).toBeLessThan(report.costBefore);
  });
});

describe('an exchange that float32 costs ask for', () => {
  it('is not made where float64 costs say that it gains nothing', async () => {
    // Two equal data: any order costs the same. A solver that insists on the exchange is not followed.
    const target = Float32Array.of(1, 2, 1, 2, 5, 5);
    const source = Float32Array.of(0, 1, 3, 3, 4, 4);
    const insisting = { products: hostDotProducts, solve: async () => Int32Array.of(1, 0, 2) };
    const options = { kind: 'squared', groups: null, nearIdentity: true } as const;
    const { sourceOf, reassigned } = await optimalPairing({ source, target, elements: 2 }, options, insisting);
    expect(Array.from(sourceOf)).toEqual([0, 1, 2]);
    expect(reassigned).toBe(0);
  });

  it('is made cycle by cycle', async () => {
    // Rows 0 and 1 gain by their exchange; rows 2 and 3 lose by theirs.
    const target = Float32Array.of(0, 10, 0, 10);
    const source = Float32Array.of(10, 0, 0, 10);
    const insisting = { products: hostDotProducts, solve: async () => Int32Array.of(1, 0, 3, 2) };
    const options = { kind: 'squared', groups: null, nearIdentity: true } as const;
    const { sourceOf } = await optimalPairing({ source, target, elements: 1 }, options, insisting);
    expect(Array.from(sourceOf)).toEqual([1, 0, 2, 3]);
  });
});

describe('costs for an assignment', () => {
  it('differ from the pairs own by terms of rows and columns alone (squared), or not at all (l2)', async () => {
    const rows = problem(6, 4, 5);
    const squared = await assignmentCosts('squared', rows, hostDotProducts);
    const l2 = await assignmentCosts('l2', rows, hostDotProducts);
    const exact = (kind: CostKind, row: number, column: number) => pairCost(kind, rows, [row, column]);
    for (let row = 1; row < 6; row++) {
      for (let column = 1; column < 6; column++) {
        const at = (r: number, c: number) => squared[6 * r + c];
        const cross = at(row, column) - at(0, column) - at(row, 0) + at(0, 0);
        const wanted =
          exact('squared', row, column) -
          exact('squared', 0, column) -
          exact('squared', row, 0) +
          exact('squared', 0, 0);
        expect(cross).toBeCloseTo(wanted, 4);
        expect(l2[6 * row + column]).toBeCloseTo(exact('l2', row, column), 5);
      }
    }
  });

  it('stay numbers where datum and noise are the same', async () => {
    const random = stream(1, 'same');
    const target = Float32Array.from({ length: 30 }, () => 100 * random.normal());
    const costs = await assignmentCosts('l2', { source: target, target, elements: 10 }, hostDotProducts);
    for (let row = 0; row < 3; row++) expect(costs[4 * row]).toBeLessThan(0.1);
    expect(costs.every((cost) => cost >= 0)).toBe(true);
  });
});
