import { z } from 'zod';
import { type CostMatrix, solveAssignment } from '../../../numerics/assignment.ts';
import { mulberry32Array } from '../../../numerics/mulberry32.ts';
import type { Replayer, Tally } from './section.ts';

const explicitSchema = z.object({
  cost: z.array(z.array(z.number()).min(1)).min(1),
  maximize: z.boolean(),
  total: z.number(),
});
const seededSchema = z.object({
  seed: z.int(),
  shape: z.tuple([z.int(), z.int()]),
  rule: z.literal('floor(1000*u)'),
  total: z.number(),
});
const cloudsSchema = z.object({
  seed_x: z.int(),
  seed_y: z.int(),
  n: z.int(),
  d: z.int(),
  sq_total: z.number(),
  l2_total: z.number(),
  rows_that_differ_between_costs: z.int(),
});
const sectionSchema = z.array(z.union([explicitSchema, seededSchema, cloudsSchema])).min(1);

function explicitCosts(cost: readonly (readonly number[])[]): CostMatrix {
  return { values: Float64Array.from(cost.flat()), rows: cost.length, columns: cost[0]!.length };
}

function seededCosts({ seed, shape: [rows, columns] }: z.infer<typeof seededSchema>): CostMatrix {
  return { values: mulberry32Array(seed, rows * columns).map((u) => Math.floor(1000 * u)), rows, columns };
}

/** Squared distances between two clouds of uniform points, float64 [n, n]. */
function squaredDistances({ seed_x, seed_y, n, d }: z.infer<typeof cloudsSchema>): Float64Array {
  const x = mulberry32Array(seed_x, n * d);
  const y = mulberry32Array(seed_y, n * d);
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let k = 0; k < d; k++) sum += (x[i * d + k]! - y[j * d + k]!) ** 2;
    return sum;
  });
}

function compareClouds(clouds: z.infer<typeof cloudsSchema>, tally: Tally): void {
  const { n, sq_total, l2_total, rows_that_differ_between_costs } = clouds;
  const squares = squaredDistances(clouds);
  const bySquare = solveAssignment({ values: squares, rows: n, columns: n });
  const byNorm = solveAssignment({ values: squares.map(Math.sqrt), rows: n, columns: n });
  const differing = bySquare.rowToColumn.filter((column, i) => column !== byNorm.rowToColumn[i]).length;
  const what = `clouds of ${n}`;
  tally.compare(`${what}, squares`, { got: bySquare.total, expected: sq_total, tolerance: 1e-12 });
  tally.compare(`${what}, norms`, { got: byNorm.total, expected: l2_total, tolerance: 1e-12 });
  tally.compare(`${what}, rows that differ`, {
    got: differing,
    expected: rows_that_differ_between_costs,
    tolerance: 0,
  });
}

/** Totals of linear assignments: integers exactly, distances between clouds to 1e-12, with the count of rows that the norm pairs differently. */
export const replayLsa: Replayer = (section, tally) => {
  for (const [number, golden] of sectionSchema.parse(section).entries()) {
    if ('seed_x' in golden) {
      compareClouds(golden, tally);
    } else {
      const explicit = 'cost' in golden;
      const costs = explicit ? explicitCosts(golden.cost) : seededCosts(golden);
      const { total } = solveAssignment(costs, { maximize: explicit && golden.maximize });
      tally.compare(`case ${number}`, { got: total, expected: golden.total, tolerance: 0 });
    }
  }
};
