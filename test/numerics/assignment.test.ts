import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError, NumericalError, ShapeError } from '../../src/errors.ts';
import { type CostMatrix, solveAssignment } from '../../src/numerics/assignment.ts';
import { stream } from '../../src/numerics/stream.ts';
import {
  closeProblem,
  expectProven,
  type GoldenCase,
  goldenCosts,
  leastByTrial,
  matrix,
  negated,
  randomProblem,
  totalOf,
  transposed,
} from './assignment-problems.ts';

const no = Number.POSITIVE_INFINITY;

/** Costs, and those that are chosen, row by row; SciPy's cases. */
const known: readonly (readonly [number[][], number[]])[] = [
  [
    [
      [400, 150, 400],
      [400, 450, 600],
      [300, 225, 300],
    ],
    [150, 400, 300],
  ],
  [
    [
      [400, 150, 400, 1],
      [400, 450, 600, 2],
      [300, 225, 300, 3],
    ],
    [150, 2, 300],
  ],
  [
    [
      [10, 10, 8],
      [9, 8, 1],
      [9, 7, 4],
    ],
    [10, 1, 7],
  ],
  [
    [
      [10, 10, 8, 11],
      [9, 8, 1, 1],
      [9, 7, 4, 10],
    ],
    [10, 1, 4],
  ],
  [
    [
      [10, no, no],
      [no, no, 1],
      [no, 7, no],
    ],
    [10, 1, 7],
  ],
];

/** 0 where no pair is possible. */
const infeasibleGraphs = [
  [
    [1, 1, 1],
    [1, 0, 0],
    [1, 0, 0],
  ],
  [
    [1, 1, 1],
    [0, 0, 1],
    [0, 0, 1],
  ],
  [
    [1, 0, 0],
    [2, 0, 0],
    [3, 0, 0],
  ],
  [
    [0, 1, 0],
    [0, 1, 0],
    [0, 1, 0],
  ],
  [
    [1, 2, 3],
    [0, 0, 0],
    [4, 5, 6],
  ],
  [
    [1, 0, 1],
    [1, 0, 1],
    [1, 0, 1],
  ],
  [
    [1, 0, 0, 0],
    [1, 0, 0, 0],
  ],
];

function withoutZeros(rows: number[][]): CostMatrix {
  const costs = matrix(rows);
  return { ...costs, values: costs.values.map((value) => (value === 0 ? no : value)) };
}

function chosen(costs: CostMatrix, maximize = false): number[] {
  const { rowToColumn } = solveAssignment(costs, { maximize });
  return [...rowToColumn.entries()].filter(([, j]) => j >= 0).map(([i, j]) => costs.values[i * costs.columns + j]);
}

describe('solveAssignment on known problems', () => {
  it.each(known)('chooses as SciPy on %j, also transposed, and negated for a maximum', (rows, expected) => {
    const costs = matrix(rows);
    const sorted = expected.toSorted((a, b) => a - b);
    expect(chosen(costs)).toEqual(expected);
    expect(chosen(transposed(costs)).toSorted((a, b) => a - b)).toEqual(sorted);
    expect(chosen(negated(costs), true)).toEqual(expected.map((value) => -value));
    expect(
      chosen(transposed(negated(costs)), true)
        .map((value) => -value)
        .toSorted((a, b) => a - b),
    ).toEqual(sorted);
  });

  it('leaves ties in the order of the rows', () => {
    const ones = { values: new Float64Array(64).fill(1), rows: 8, columns: 8 };
    expect([...solveAssignment(ones).rowToColumn]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it.each([
    [0, 0],
    [2, 0],
    [0, 3],
  ])('has nothing to pair in a matrix [%i, %i]', (rows, columns) => {
    const { rowToColumn, total, rowDuals, columnDuals } = solveAssignment({
      values: new Float32Array(0),
      rows,
      columns,
    });
    expect([...rowToColumn]).toEqual(Array(rows).fill(-1));
    expect([total, rowDuals.length, columnDuals.length]).toEqual([0, rows, columns]);
  });

  it.each(infeasibleGraphs.map((rows) => [rows]))('finds %j infeasible, also transposed and for a maximum', (rows) => {
    const costs = withoutZeros(rows);
    for (const some of [costs, transposed(costs)]) {
      expect(() => solveAssignment(some)).toThrow('infeasible');
      expect(() => solveAssignment(negated(some), { maximize: true })).toThrow('infeasible');
    }
  });
});

describe('solveAssignment refuses', () => {
  it.each([
    [[1, 2, Number.NaN, 4], false],
    [[1, 2, -no, 4], false],
    [[Number.NaN, Number.NaN, Number.NaN, Number.NaN], false],
    [[1, 2, no, 4], true],
    [[1, Number.NaN, 3, 4], true],
  ])('%j', (values, maximize) => {
    for (const [rows, columns] of [
      [2, 2],
      [1, 4],
      [4, 1],
    ]) {
      const solve = () => solveAssignment({ values: Float32Array.from(values), rows, columns }, { maximize });
      expect(solve).toThrow(NumericalError);
      expect(solve).toThrow('invalid numeric entries');
    }
  });

  it('NaN beside a start with duals, and duals that are not finite', () => {
    const rowToColumn = Int32Array.of(0, 1);
    const start = { rowToColumn, columnDuals: Float64Array.of(0, 0) };
    expect(() =>
      solveAssignment(
        matrix([
          [1, Number.NaN],
          [1, 1],
        ]),
        { start },
      ),
    ).toThrow('invalid numeric entries');
    const wrong = { rowToColumn, columnDuals: Float64Array.of(0, no) };
    expect(() =>
      solveAssignment(
        matrix([
          [1, 2],
          [1, 1],
        ]),
        { start: wrong },
      ),
    ).toThrow('invalid numeric entries');
  });

  it('sizes that do not fit', () => {
    const values = new Float64Array(6);
    for (const [rows, columns] of [
      [2, 2],
      [-2, -3],
      [1.5, 4],
      [6, 0],
    ]) {
      expect(() => solveAssignment({ values, rows, columns })).toThrow(ShapeError);
    }
    const short = { rowToColumn: Int32Array.of(0) };
    expect(() => solveAssignment({ values, rows: 2, columns: 3 }, { start: short })).toThrow(ShapeError);
    const duals = { rowToColumn: Int32Array.of(0, 1), columnDuals: new Float64Array(2) };
    expect(() => solveAssignment({ values, rows: 2, columns: 3 }, { start: duals })).toThrow(ShapeError);
  });

  it.each([[[0, 0]], [[0, -1]], [[0, 3]], [[-2, 1]]])('%j as a pairing of two rows with three columns', (columns) => {
    const start = { rowToColumn: Int32Array.from(columns) };
    expect(() => solveAssignment({ values: new Float64Array(6), rows: 2, columns: 3 }, { start })).toThrow(ConfigError);
  });
});

describe('solveAssignment on random problems', () => {
  it('finds the least and the greatest sum that trying all finds, or that there is none', () => {
    const random = stream(1, 'test-assignment-trial');
    let infeasible = 0;
    for (let trial = 0; trial < 1000; trial++) {
      const { costs, maximize } = randomProblem(random, 7);
      const expected = leastByTrial(maximize ? negated(costs) : costs);
      if (expected === no) {
        expect(() => solveAssignment(costs, { maximize })).toThrow('infeasible');
        infeasible++;
      } else {
        const before = costs.values.slice();
        const got = totalOf(costs, { maximize }) * (maximize ? -1 : 1);
        expect(Math.abs(got - expected), `trial ${trial}`).toBeLessThan(1e-13 * 10);
        expect(costs.values).toEqual(before);
      }
    }
    expect(infeasible).toBeGreaterThan(5);
    expect(infeasible).toBeLessThan(300);
  });

  it('proves its solutions by duals', () => {
    const random = stream(2, 'test-assignment-duals');
    for (let trial = 0; trial < 150; trial++) {
      const { costs, maximize } = randomProblem(random, 60);
      try {
        expectProven(costs, solveAssignment(costs, { maximize }), { maximize });
      } catch (error) {
        if (!(error instanceof NumericalError)) throw error;
        expect(error.message).toContain('infeasible');
      }
    }
  });

  it('gives the same bits each time', () => {
    const costs = goldenCosts({
      shape: [100, 100],
      seed: 5,
      maximize: false,
      rule: 'distances',
      dimensions: 9,
      total: 0,
    });
    expect(solveAssignment(costs)).toEqual(solveAssignment(costs));
  });

  it.each([40, 150, 520])('proves its solutions of %i points in two dimensions, for a maximum too', (n) => {
    const costs = closeProblem(n, 31);
    for (const maximize of [false, true]) {
      const solution = solveAssignment(costs, { maximize });
      expectProven(costs, solution, { maximize });
      expect(solution).toEqual(solveAssignment(costs, { maximize }));
    }
    // Better duals than those of row reduction, which leaves two rows in three, leave few paths to be grown.
    expect(solveAssignment(costs).augmentations).toBeLessThan(n / 8);
  });

  it('finds large problems infeasible when more rows share columns than there are', () => {
    const n = 200;
    const random = stream(6, 'test-assignment-infeasible');
    const values = Float32Array.from({ length: n * n }, (_, k) => {
      const [i, j] = [Math.floor(k / n), k % n];
      return i <= n / 2 && j >= n / 2 ? no : random.normal();
    });
    expect(() => solveAssignment({ values, rows: n, columns: n })).toThrow('infeasible');
    values[n / 2] = 1;
    expectProven({ values, rows: n, columns: n }, solveAssignment({ values, rows: n, columns: n }));
  });

  it.each([
    [100, 100],
    [90, 120],
    [600, 600],
    [500, 700],
    [700, 500],
  ])('reads float32 and float64 numbers [%i, %i] alike', (...shape) => {
    // Beyond 2^18 numbers the rows are read one by one.
    const golden = { shape, seed: 8, maximize: false, rule: 'distances', dimensions: 5, total: 0 } as const;
    const float32 = goldenCosts(golden);
    const float64 = { ...float32, values: new Float64Array(float32.values) };
    expect(solveAssignment(float32)).toEqual(solveAssignment(float64));
    expectProven(float32, solveAssignment(float32));
    const greatest = solveAssignment(float32, { maximize: true });
    expect(greatest).toEqual(solveAssignment(float64, { maximize: true }));
    expectProven(float32, greatest, { maximize: true });
  });
});

describe('solveAssignment against SciPy', () => {
  const file = new URL('../golden/assignment.json', import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: GoldenCase[] };

  it.each(cases.map((golden) => [`${golden.rule} ${golden.shape.join(' x ')}, seed ${golden.seed}`, golden] as const))(
    'has the total of %s',
    (_, golden) => {
      expect(totalOf(goldenCosts(golden), { maximize: golden.maximize })).toBe(golden.total);
    },
  );
});
