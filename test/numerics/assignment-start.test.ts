import { describe, expect, it } from 'vitest';
import { NumericalError } from '../../src/errors.ts';
import {
  type Assignment,
  type AssignmentStart,
  type CostMatrix,
  solveAssignment,
} from '../../src/numerics/assignment.ts';
import { permutation } from '../../src/numerics/permutation.ts';
import { type RandomStream, stream } from '../../src/numerics/stream.ts';
import { closeProblem, expectProven, randomProblem } from './assignment-problems.ts';

function randomPairing({ rows, columns }: CostMatrix, random: RandomStream): Int32Array {
  const order = permutation(Math.max(rows, columns), random);
  return Int32Array.from({ length: rows }, (_, i) => (order[i] < columns ? order[i] : -1));
}

/** The pairing with the columns of two paired rows exchanged. */
function exchanged(pairing: Int32Array, random: RandomStream): Int32Array {
  const changed = pairing.slice();
  const paired = [...changed.keys()].filter((i) => changed[i] !== -1);
  const [a, b] = [paired[random.below(paired.length)], paired[random.below(paired.length)]];
  [changed[a], changed[b]] = [changed[b], changed[a]];
  return changed;
}

/** Starts of every kind for a problem with a known solution. */
function starts(costs: CostMatrix, solution: Assignment, random: RandomStream): Record<string, AssignmentStart> {
  const { rowToColumn, columnDuals } = solution;
  const strange = (size: number) => Float64Array.from({ length: costs.columns }, () => size * random.normal());
  return {
    optimal: { rowToColumn },
    'optimal with duals': { rowToColumn, columnDuals },
    'exchanged with duals': { rowToColumn: exchanged(rowToColumn, random), columnDuals },
    'shaken duals': { rowToColumn, columnDuals: columnDuals.map((dual) => dual + 0.1 * random.normal()) },
    random: { rowToColumn: randomPairing(costs, random) },
    'random with duals': { rowToColumn: randomPairing(costs, random), columnDuals: strange(1) },
    'negated duals': { rowToColumn, columnDuals: columnDuals.map((dual) => -3 * dual) },
    'large duals': { rowToColumn: randomPairing(costs, random), columnDuals: strange(1e5) },
    'huge duals': { rowToColumn: randomPairing(costs, random), columnDuals: strange(1e200) },
    'tiny duals': { rowToColumn: randomPairing(costs, random), columnDuals: strange(1e-200) },
  };
}

describe('solveAssignment with a start', () => {
  it('gives the optimum of a cold one, proven, whatever the start', () => {
    const random = stream(3, 'test-assignment-starts');
    for (let trial = 0; trial < 60; trial++) {
      const { costs, maximize } = randomProblem(random, 40);
      let cold: Assignment;
      try {
        cold = solveAssignment(costs, { maximize });
      } catch (error) {
        if (!(error instanceof NumericalError)) throw error;
        const start = { rowToColumn: randomPairing(costs, random), columnDuals: new Float64Array(costs.columns) };
        expect(() => solveAssignment(costs, { maximize, start })).toThrow('infeasible');
        continue;
      }
      for (const [name, start] of Object.entries(starts(costs, cold, random))) {
        const warm = solveAssignment(costs, { maximize, start });
        expect(Math.abs(warm.total - cold.total), `trial ${trial}, ${name}`).toBeLessThan(1e-11);
        expectProven(costs, warm, { maximize });
      }
    }
  });

  it('returns a start that is optimal as it is, whichever of many equal pairings it is', () => {
    const random = stream(4, 'test-assignment-ties');
    for (let trial = 0; trial < 100; trial++) {
      const rows = 2 + random.below(30);
      const columns = trial % 3 === 0 ? 2 + random.below(30) : rows;
      // Costs a_i + b_j with a square matrix: every pairing is optimal. In others, ties are many.
      const a = Float64Array.from({ length: rows }, () => (rows === columns ? random.below(100) : 0));
      const b = Float64Array.from({ length: columns }, () => (rows === columns ? random.below(100) : 0));
      const values = Float32Array.from(
        { length: rows * columns },
        (_, k) => a[Math.floor(k / columns)] + b[k % columns],
      );
      const costs = { values, rows, columns };
      const rowToColumn = randomPairing(costs, random);
      for (const columnDuals of [null, b, new Float64Array(columns)]) {
        const start = columnDuals === null ? { rowToColumn } : { rowToColumn, columnDuals };
        for (const maximize of [false, true]) {
          const solution = solveAssignment(costs, { start, maximize });
          expect(solution.rowToColumn).toEqual(rowToColumn);
          expectProven(costs, solution, { maximize });
        }
      }
    }
  });

  it.each([60, 400])(
    'gives the optimum of %i points in two dimensions from every start, and keeps an optimal one',
    (n) => {
      const random = stream(7, 'test-assignment-close');
      const costs = closeProblem(n, 41);
      for (const maximize of [false, true]) {
        const cold = solveAssignment(costs, { maximize });
        for (const [name, start] of Object.entries(starts(costs, cold, random))) {
          const warm = solveAssignment(costs, { maximize, start });
          // The costs are multiples of 2^-16, and sums of them exact.
          expect(warm.total, name).toBe(cold.total);
          if (name.startsWith('optimal')) expect(warm.rowToColumn, name).toEqual(cold.rowToColumn);
          expectProven(costs, warm, { maximize });
        }
      }
    },
  );

  it('keeps the pairs that duals prove, without growing a path', () => {
    const random = stream(5, 'test-assignment-proof');
    const n = 50;
    const values = Float32Array.from({ length: n * n }, () => random.below(1000));
    const cold = solveAssignment({ values, rows: n, columns: n });
    const warm = solveAssignment({ values, rows: n, columns: n }, { start: cold });
    expect(warm.augmentations).toBe(0);
    expect(warm.rowToColumn).toEqual(cold.rowToColumn);
    expect(warm.columnDuals).toEqual(cold.columnDuals);
  });

  it('leaves the arrays of the start as they were', () => {
    const costs = { values: Float64Array.of(1, 2, 3, 5), rows: 2, columns: 2 };
    const start = { rowToColumn: Int32Array.of(1, 0), columnDuals: Float64Array.of(0.25, -1) };
    const solution = solveAssignment(costs, { start });
    solution.columnDuals.fill(7);
    solution.rowToColumn.fill(7);
    expect(start).toEqual({ rowToColumn: Int32Array.of(1, 0), columnDuals: Float64Array.of(0.25, -1) });
  });
});
