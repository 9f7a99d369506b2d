/** Assignment problems for tests, and what must hold of a solution. */
import { expect } from 'vitest';
import type { Assignment, AssignmentOptions, CostMatrix } from '../../src/numerics/assignment.ts';
import { solveAssignment } from '../../src/numerics/assignment.ts';
import { mulberry32Array } from '../../src/numerics/mulberry32.ts';
import type { RandomStream } from '../../src/numerics/stream.ts';

/** A float64 matrix of rows. */
export function matrix(rows: readonly (readonly number[])[], columns = rows[0]?.length ?? 0): CostMatrix {
  return { values: Float64Array.from(rows.flat()), rows: rows.length, columns };
}

export function transposed({ values, rows, columns }: CostMatrix): CostMatrix {
  const turned = values.slice();
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = values[i * columns + j];
  return { values: turned, rows: columns, columns: rows };
}

export function negated({ values, ...shape }: CostMatrix): CostMatrix {
  return { values: values.map((value) => -value), ...shape };
}

/** The least sum over all assignments, by trying all; Infinity if each uses a forbidden pair. */
export function leastByTrial(costs: CostMatrix): number {
  if (costs.rows > costs.columns) return leastByTrial(transposed(costs));
  const { values, rows, columns } = costs;
  const best = (row: number, used: number): number => {
    if (row === rows) return 0;
    let least = Number.POSITIVE_INFINITY;
    for (let j = 0; j < columns; j++) {
      if (used & (1 << j)) continue;
      least = Math.min(least, values[row * columns + j] + best(row + 1, used | (1 << j)));
    }
    return least;
  };
  return best(0, 0);
}

/** Expects a one-to-one pairing of full size whose total is right, and duals that prove it optimal, both to rounding. */
export function expectProven(costs: CostMatrix, assignment: Assignment, { maximize = false }: AssignmentOptions = {}) {
  const { values, rows, columns } = costs;
  const { rowToColumn, rowDuals, columnDuals, total } = assignment;
  const sign = maximize ? -1 : 1;
  let size = 1;
  for (const value of values) if (Number.isFinite(value)) size = Math.max(size, Math.abs(value));
  const rounding = 1e-12 * size;
  const pairs = [...rowToColumn.entries()].filter(([, j]) => j !== -1);
  expect(pairs.length).toBe(Math.min(rows, columns));
  expect(new Set(pairs.map(([, j]) => j)).size).toBe(pairs.length);
  expect(total).toBeCloseTo(
    pairs.reduce((sum, [i, j]) => sum + values[i * columns + j], 0),
    6,
  );
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const slack = sign * (values[i * columns + j] - rowDuals[i] - columnDuals[j]);
      if (!(slack >= -rounding)) expect(slack, `slack of ${i}, ${j}`).toBeGreaterThanOrEqual(-rounding);
      if (rowToColumn[i] === j) expect(Math.abs(slack)).toBeLessThanOrEqual(rounding);
    }
  }
  const taken = new Set(pairs.map(([, j]) => j));
  const larger = rows < columns ? columnDuals : rows > columns ? rowDuals : null;
  for (const [k, dual] of larger?.entries() ?? []) {
    expect(sign * dual).toBeLessThanOrEqual(rounding);
    if (rows < columns ? !taken.has(k) : rowToColumn[k] === -1) expect(dual).toBe(0);
  }
  const sum = [...rowDuals, ...columnDuals].reduce((all, dual) => all + dual, 0);
  expect(Math.abs(sum - total)).toBeLessThanOrEqual(rounding * (rows + columns));
}

/** A problem of a random form: square or not, with ties or not, float32 or float64, with forbidden pairs or not. */
export function randomProblem(random: RandomStream, limit: number): { costs: CostMatrix; maximize: boolean } {
  const rows = 1 + random.below(limit);
  const columns = random.below(2) === 0 ? rows : 1 + random.below(limit);
  const maximize = random.below(2) === 1;
  const forbidden = random.below(3) === 0 ? 0.2 : 0;
  const ties = random.below(2) === 0;
  const values = Float64Array.from({ length: rows * columns }, () => {
    if (random.uniform() < forbidden) return maximize ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    return ties ? random.below(4) - 1 : random.normal();
  });
  return { costs: { values: random.below(2) === 0 ? values : new Float32Array(values), rows, columns }, maximize };
}

export interface GoldenCase {
  readonly shape: readonly [number, number];
  readonly seed: number;
  readonly maximize: boolean;
  readonly rule: string;
  readonly levels?: number;
  readonly dimensions?: number;
  readonly total: number;
}

function points(seed: number, count: number, dimensions: number): Float64Array {
  const u = mulberry32Array(seed, count * dimensions * 6);
  return Float64Array.from({ length: count * dimensions }, (_, at) => {
    let sum = 0;
    for (let k = 6 * at; k < 6 * at + 6; k++) sum += Math.floor(256 * u[k]);
    return sum / 256 - 3;
  });
}

/** The costs of a golden case; see scripts/golden/assignment.py. */
export function goldenCosts({ shape: [rows, columns], rule, seed, levels, dimensions = 0 }: GoldenCase): CostMatrix {
  if (rule === 'integers') {
    return { values: mulberry32Array(seed, rows * columns).map((u) => Math.floor(levels! * u)), rows, columns };
  }
  const x = points(seed, rows, dimensions);
  const y = points(seed + 1, columns, dimensions);
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < dimensions; k++) sum += (x[i * dimensions + k] - y[j * dimensions + k]) ** 2;
      values[i * columns + j] = sum;
    }
  }
  return { values, rows, columns };
}

/** The total of a solution. */
export function totalOf(costs: CostMatrix, options: AssignmentOptions = {}): number {
  return solveAssignment(costs, options).total;
}

/** A problem in which rows compete so closely that row reduction leaves many of them: squared distances in two dimensions. */
export function closeProblem(n: number, seed: number): CostMatrix {
  return goldenCosts({ shape: [n, n], seed, maximize: false, rule: 'distances', dimensions: 2, total: 0 });
}
