/** Small transport problems and their solutions by brute force, for the tests of transport. */

import type { CostMatrix } from '../../src/numerics/assignment.ts';
import { mulberry32Array } from '../../src/numerics/mulberry32.ts';
import type { TransportPlan } from '../../src/numerics/transport-plan.ts';

/** A cost [rows, columns] from a function. */
export function costFrom(rows: number, columns: number, of: (row: number, column: number) => number): CostMatrix {
  const values = Float64Array.from({ length: rows * columns }, (_, k) => of(Math.floor(k / columns), k % columns));
  return { values, rows, columns };
}

/** Costs uniform on (0, scale). */
export function randomCost(seed: number, [rows, columns]: readonly [number, number], scale = 1): CostMatrix {
  return { values: mulberry32Array(seed, rows * columns).map((u) => scale * u), rows, columns };
}

/** Masses between 0.1 and 1.1, divided by their sum. */
export function randomMasses(seed: number, count: number): Float64Array {
  const masses = mulberry32Array(seed, count).map((u) => u + 0.1);
  const sum = masses.reduce((a, b) => a + b, 0);
  return masses.map((mass) => mass / sum);
}

/** All of a plan, row-major. */
export function dense(plan: TransportPlan): Float64Array {
  const matrix = new Float64Array(plan.rows * plan.columns);
  for (let i = 0; i < plan.rows; i++) matrix.set(plan.row(i), i * plan.columns);
  return matrix;
}

/** Sums of the rows and of the columns of a plan. */
export function sums(plan: TransportPlan): { readonly rows: Float64Array; readonly columns: Float64Array } {
  const [rows, columns] = [new Float64Array(plan.rows), new Float64Array(plan.columns)];
  for (const [k, mass] of dense(plan).entries()) {
    rows[Math.floor(k / plan.columns)]! += mass;
    columns[k % plan.columns]! += mass;
  }
  return { rows, columns };
}

/** A plan that lies in memory, with marginals that are its sums. */
export function givenPlan(matrix: readonly (readonly number[])[]): TransportPlan {
  const columns = matrix[0]!.length;
  const sumOf = (masses: readonly number[]) => masses.reduce((a, b) => a + b, 0);
  return {
    rows: matrix.length,
    columns,
    rowMarginal: Float64Array.from(matrix, sumOf),
    columnMarginal: Float64Array.from({ length: columns }, (_, j) => sumOf(matrix.map((row) => row[j]!))),
    row(i, out = new Float64Array(columns)) {
      out.set(matrix[i]!);
      return out;
    },
  };
}

/** Every order of 0, ..., n - 1. */
export function permutations(n: number): number[][] {
  if (n === 0) return [[]];
  return permutations(n - 1).flatMap((rest) =>
    Array.from({ length: n }, (_, place) => [...rest.slice(0, place), n - 1, ...rest.slice(place)]),
  );
}

/** The least mean cost of a pairing, among all of them. */
export function leastMeanCost({ values, rows: n }: CostMatrix): number {
  return Math.min(...permutations(n).map((order) => order.reduce((sum, j, i) => sum + values[i * n + j]!, 0) / n));
}

/** Largest difference between two arrays. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));
}
