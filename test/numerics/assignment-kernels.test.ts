import { describe, expect, it } from 'vitest';
import { solveAssignment } from '../../src/numerics/assignment.ts';
import { selectCandidates } from '../../src/numerics/assignment-candidates.ts';
import { type AssignmentMemory, openAssignmentMemory } from '../../src/numerics/assignment-memory.ts';
import { createTableau } from '../../src/numerics/assignment-tableau.ts';
import { type RandomStream, stream } from '../../src/numerics/stream.ts';
import { closeProblem, randomProblem } from './assignment-problems.ts';

const no = Number.POSITIVE_INFINITY;

/** Memory of a row of random costs, some forbidden and some equal, and of random duals. */
function randomRow(random: RandomStream, trial: number): AssignmentMemory {
  const columns = 1 + random.below(40);
  const memory = openAssignmentMemory({ rows: 1, columns, lines: 1, float32: trial % 2 === 0 });
  for (let j = 0; j < columns; j++) {
    memory.line[j] = random.below(5) === 0 ? no : trial % 3 === 0 ? random.below(4) : random.normal();
    memory.duals[j] = trial % 3 === 0 ? random.below(2) : random.normal();
  }
  return memory;
}

describe('assignment kernels', () => {
  it('find the least of a row as a loop does, and numbers that are none', () => {
    const random = stream(1, 'test-kernels-least');
    for (let trial = 0; trial < 200; trial++) {
      const { line, lineAt, duals, kernels, sizes } = randomRow(random, trial);
      const costs = [...line.subarray(0, sizes.columns)];
      const least = Math.min(...costs);
      expect(kernels.least(lineAt)).toBe(least);
      const lowered = costs.map((cost, j) => Math.min(duals[j], cost - 0.5));
      kernels.lower(lineAt, 0.5);
      expect([...duals]).toEqual(lowered);
      for (const wrong of [Number.NaN, -no]) {
        line[random.below(sizes.columns)] = wrong;
        expect(kernels.least(lineAt)).toBeNaN();
      }
    }
  });

  it('select the columns below a limit in their order, and stop where there are too many', () => {
    const random = stream(2, 'test-kernels-select');
    let stops = 0;
    for (let trial = 0; trial < 400; trial++) {
      const { line, lineAt, duals, kernels, sizes, count, column, cost, width } = randomRow(random, trial);
      const limit = trial % 3 === 0 ? random.below(4) : random.normal();
      const below = [...duals.keys()].filter((j) => line[j] - duals[j] < limit);
      count[0] = 0;
      const from = kernels.select(lineAt, 0, 0, limit);
      const selected = [...column.subarray(0, count[0])];
      if (from < sizes.columns) {
        stops++;
        expect(selected.length).toBeGreaterThan(width);
        expect(selected).toEqual(below.filter((j) => j < from));
      } else {
        expect(selected).toEqual(below);
      }
      expect([...cost.subarray(0, count[0])]).toEqual(selected.map((j) => line[j]));
      line[random.below(sizes.columns)] = Number.NaN;
      count[0] = 0;
      if (from >= sizes.columns) expect(kernels.select(lineAt, 0, 0, limit)).toBe(-1);
    }
    expect(stops).toBeGreaterThan(5);
  });
});

describe('selectCandidates', () => {
  it('keeps within the place of a row where all but one of too many candidates are below their mean', () => {
    const n = 40;
    const values = new Float32Array(n * n).fill(1);
    for (let i = 0; i < n; i++) values[i * n + 19] = 5;
    const tableau = createTableau({ values, rows: n, columns: n }, { maximize: false });
    const { count, column, width, stride } = tableau.memory;
    const candidates = (i: number) => [...column.subarray(i * stride, i * stride + count[i])];
    selectCandidates(tableau, 1, 9);
    const second = candidates(1);
    selectCandidates(tableau, 0, 9);
    expect(candidates(1)).toEqual(second);
    for (const i of [0, 1]) {
      expect(count[i]).toBeLessThanOrEqual(width);
      expect(count[i]).toBeGreaterThanOrEqual(2);
    }
  });
});

describe('solveAssignment on one memory', () => {
  it('does not depend on what was solved before, even if that failed', () => {
    const random = stream(4, 'test-kernels-order');
    const problems = Array.from({ length: 60 }, () => randomProblem(random, 30));
    const solve = ({ costs, maximize }: (typeof problems)[number]) => {
      try {
        return solveAssignment(costs, { maximize });
      } catch (error) {
        return String(error);
      }
    };
    const solutions = problems.map(solve);
    expect(problems.toReversed().map(solve).toReversed()).toEqual(solutions);
  });

  it('leaves a solution as it was given', () => {
    const first = solveAssignment(closeProblem(50, 1));
    const copy = structuredClone(first);
    solveAssignment(closeProblem(50, 2));
    expect(first).toEqual(copy);
  });

  it('solves what is too large for the memory to be kept, and what is small after it', () => {
    const rows = 1;
    const columns = 5_000_000;
    const values = new Float64Array(columns).fill(3);
    values[4_321_987] = 2;
    const small = closeProblem(20, 3);
    const before = solveAssignment(small);
    expect(solveAssignment({ values, rows, columns }).rowToColumn[0]).toBe(4_321_987);
    expect(solveAssignment(small)).toEqual(before);
  });
});
