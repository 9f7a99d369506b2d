import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError, NumericalError, ShapeError } from '../../src/errors.ts';
import { type CostMatrix, solveAssignment } from '../../src/numerics/assignment.ts';
import { mulberry32Array } from '../../src/numerics/mulberry32.ts';
import { type SinkhornOptions, sinkhorn } from '../../src/numerics/sinkhorn.ts';
import { sortedPairing } from '../../src/numerics/transport-1d.ts';
import {
  costFrom,
  dense,
  largestDifference,
  leastMeanCost,
  randomCost,
  randomMasses,
  sums,
} from './transport-problems.ts';

interface GoldenPlan {
  readonly seeds: readonly [number, number, number | null, number | null];
  readonly rows: number;
  readonly columns: number;
  readonly dimensions: number;
  readonly scale: number;
  readonly epsilon: number;
  readonly cost: number;
  readonly product: number;
  readonly places: readonly number[];
  readonly samples: readonly number[];
  readonly optimum: number;
}

const goldens: { readonly plans: readonly GoldenPlan[] } = JSON.parse(
  readFileSync(new URL('../golden/sinkhorn.json', import.meta.url), 'utf8'),
);

const precise = { tolerance: 1e-12, maxIterations: 100_000 };

function goldenProblem({ seeds, rows, columns, dimensions, scale }: GoldenPlan) {
  const [x, y] = [mulberry32Array(seeds[0], rows * dimensions), mulberry32Array(seeds[1], columns * dimensions)];
  const cost = costFrom(rows, columns, (i, j) => {
    let sum = 0;
    for (let k = 0; k < dimensions; k++) sum += (2 * x[i * dimensions + k]! - 2 * y[j * dimensions + k]!) ** 2;
    return scale * sum;
  });
  const marginals = {
    ...(seeds[2] === null ? {} : { rowMarginal: randomMasses(seeds[2], rows) }),
    ...(seeds[3] === null ? {} : { columnMarginal: randomMasses(seeds[3], columns) }),
  };
  return { cost, marginals };
}

/** Sinkhorn with epsilon halved from the scale of the costs down to `epsilon`, each start from the last outcome. */
function annealed(cost: CostMatrix, options: SinkhornOptions) {
  let outcome = sinkhorn(cost, { ...options, epsilon: 1 });
  for (let epsilon = 0.5; epsilon > options.epsilon; epsilon /= 2) {
    outcome = sinkhorn(cost, { ...options, epsilon, start: outcome });
  }
  return sinkhorn(cost, { ...options, start: outcome });
}

describe.each(goldens.plans)('the plan of $rows x $columns at epsilon $epsilon', (golden) => {
  const { cost, marginals } = goldenProblem(golden);
  const outcome = sinkhorn(cost, { epsilon: golden.epsilon, ...precise, ...marginals });

  it("is POT's", () => {
    const matrix = dense(outcome.plan);
    expect(outcome.converged).toBe(true);
    expect(outcome.cost / golden.cost).toBeCloseTo(1, 9);
    const weights = mulberry32Array(1, matrix.length);
    expect(matrix.reduce((sum, mass, k) => sum + mass * weights[k]!, 0)).toBeCloseTo(golden.product, 9);
    expect(
      largestDifference(
        golden.places.map((place) => matrix[place]!),
        golden.samples,
      ),
    ).toBeLessThan(1e-11);
  });

  it('has the given marginals', () => {
    const { rows, columns } = sums(outcome.plan);
    expect(largestDifference(rows, outcome.plan.rowMarginal)).toBeLessThan(1e-14);
    expect(largestDifference(columns, outcome.plan.columnMarginal)).toBeLessThan(1e-12);
  });

  it('costs at least the optimum, and has no gap between primal and dual', () => {
    expect(outcome.cost).toBeGreaterThanOrEqual(golden.optimum * (1 - 1e-12));
    const { plan, rowPotentials, columnPotentials } = outcome;
    const { rowMarginal, columnMarginal } = plan;
    let entropy = 0;
    for (const [k, mass] of dense(plan).entries()) {
      const independent = rowMarginal[Math.floor(k / plan.columns)]! * columnMarginal[k % plan.columns]!;
      if (mass > 0) entropy += mass * Math.log(mass / independent);
    }
    const dual =
      rowPotentials.reduce((sum, f, i) => sum + f * rowMarginal[i]!, 0) +
      columnPotentials.reduce((sum, g, j) => sum + g * columnMarginal[j]!, 0);
    expect(dual / (outcome.cost + golden.epsilon * entropy)).toBeCloseTo(1, 9);
  });
});

describe('as epsilon goes to 0', () => {
  it.each([2, 3, 4, 5, 6, 7])('the cost of a plan with %i rows and columns goes to that of the best pairing', (n) => {
    const cost = randomCost(100 + n, [n, n]);
    const best = leastMeanCost(cost);
    const excess = [0.1, 0.01, 0.001].map(
      (epsilon) => annealed(cost, { epsilon, ...precise, tolerance: 1e-10 }).cost - best,
    );
    expect(excess[0]!).toBeGreaterThanOrEqual(excess[1]! - 1e-9);
    expect(excess[1]!).toBeGreaterThanOrEqual(excess[2]! - 1e-9);
    // The excess is at most epsilon times the largest relative entropy, log n.
    expect(excess[2]!).toBeLessThan(0.001 * Math.log(n));
    expect(excess[2]!).toBeGreaterThan(-1e-9);
  });

  it('the cost goes to that of the optimal assignment of many rows', () => {
    const cost = randomCost(200, [24, 24]);
    const outcome = annealed(cost, { epsilon: 2e-3, tolerance: 1e-7, maxIterations: 20_000 });
    const excess = outcome.cost - solveAssignment(cost).total / 24;
    expect(excess).toBeGreaterThan(-1e-7);
    expect(excess).toBeLessThan(2e-3 * Math.log(24));
  });

  it('the cost on the line goes to that of the sorted pairing', () => {
    const [x, y] = [mulberry32Array(1, 20), mulberry32Array(2, 20)];
    const cost = costFrom(20, 20, (i, j) => (x[i]! - y[j]!) ** 2);
    const outcome = annealed(cost, { epsilon: 1e-3, tolerance: 1e-7, maxIterations: 50_000 });
    const excess = outcome.cost - sortedPairing(x, y).cost;
    expect(excess).toBeGreaterThan(-1e-7);
    expect(excess).toBeLessThan(1e-3 * Math.log(20));
  });
});

describe('the plan', () => {
  it('goes to the independent one as epsilon grows', () => {
    const rowMarginal = randomMasses(1, 6);
    const columnMarginal = randomMasses(2, 9);
    const { plan } = sinkhorn(randomCost(3, [6, 9]), { epsilon: 1e7, rowMarginal, columnMarginal });
    const independent = costFrom(6, 9, (i, j) => rowMarginal[i]! * columnMarginal[j]!);
    expect(largestDifference(dense(plan), independent.values)).toBeLessThan(1e-8);
  });

  it('is the same, and its potentials are moved, when constants are added to rows and columns of the cost', () => {
    const cost = randomCost(4, [8, 8]);
    const moved = costFrom(8, 8, (i, j) => cost.values[8 * i + j]! + i * i - 3 * j);
    const [before, after] = [cost, moved].map((one) => sinkhorn(one, { epsilon: 0.1, ...precise })) as [
      ReturnType<typeof sinkhorn>,
      ReturnType<typeof sinkhorn>,
    ];
    expect(largestDifference(dense(after.plan), dense(before.plan))).toBeLessThan(1e-12);
    const shifts = Array.from(after.rowPotentials, (f, i) => f - before.rowPotentials[i]! - i * i);
    expect(Math.max(...shifts) - Math.min(...shifts)).toBeLessThan(1e-9);
  });

  it('is the same when cost and epsilon are both multiplied, at any scale', () => {
    const cost = randomCost(5, [10, 12]);
    const { plan } = sinkhorn(cost, { epsilon: 0.01, ...precise });
    for (const scale of [1e-9, 1e6, 1e200]) {
      const scaled = costFrom(10, 12, (i, j) => scale * cost.values[12 * i + j]!);
      const outcome = sinkhorn(scaled, { epsilon: 0.01 * scale, ...precise, tolerance: 1e-11 });
      expect(outcome.converged).toBe(true);
      expect(largestDifference(dense(outcome.plan), dense(plan))).toBeLessThan(1e-10);
    }
  });

  it('survives costs of 1e6 at an epsilon of 1, where the exponentials of the costs would all vanish', () => {
    const cost = randomCost(6, [5, 5], 1e6);
    const outcome = sinkhorn(cost, { epsilon: 1, maxIterations: 3 });
    expect(dense(outcome.plan).every(Number.isFinite)).toBe(true);
    expect(largestDifference(sums(outcome.plan).rows, outcome.plan.rowMarginal)).toBeLessThan(1e-8);
    // A column whose cost is far above all others gets its mass all the same.
    const remote = costFrom(3, 3, (i, j) => (j === 2 ? 1e6 : 0) + ((i + j) % 3));
    const { converged, plan } = sinkhorn(remote, { epsilon: 1, ...precise, tolerance: 1e-9 });
    expect(converged).toBe(true);
    expect(largestDifference(sums(plan).columns, plan.columnMarginal)).toBeLessThan(1e-9);
  });

  it('keeps rows and columns without mass empty', () => {
    const marginals = { rowMarginal: [0.5, 0, 0.5], columnMarginal: [0.25, 0.75, 0] };
    const { plan, converged, rowPotentials, columnPotentials } = sinkhorn(randomCost(7, [3, 3]), {
      epsilon: 0.1,
      ...marginals,
    });
    expect(converged).toBe(true);
    expect([...plan.row(1)]).toEqual([0, 0, 0]);
    expect([0, 1, 2].map((i) => plan.row(i)[2])).toEqual([0, 0, 0]);
    expect([...rowPotentials, ...columnPotentials].every(Number.isFinite)).toBe(true);
  });

  it('transports any mass', () => {
    const marginals = { rowMarginal: [2, 3], columnMarginal: [1, 4] };
    const { plan } = sinkhorn(randomCost(8, [2, 2]), { epsilon: 1, ...precise, ...marginals });
    expect([...sums(plan).rows].map((sum) => sum.toFixed(9))).toEqual(['2.000000000', '3.000000000']);
    expect([...sums(plan).columns].map((sum) => sum.toFixed(9))).toEqual(['1.000000000', '4.000000000']);
  });

  it('of one row or one column is its marginal', () => {
    const { plan, iterations } = sinkhorn(randomCost(9, [1, 4]), { epsilon: 0.1, tolerance: 1e-12 });
    expect(largestDifference(plan.row(0), [0.25, 0.25, 0.25, 0.25])).toBeLessThan(1e-12);
    expect(iterations).toBe(2);
  });

  it('of a float32 cost is that of the same numbers in float64', () => {
    const values = Float32Array.from(randomCost(10, [4, 4]).values);
    const [single, double] = [values, Float64Array.from(values)].map((array) =>
      dense(sinkhorn({ values: array, rows: 4, columns: 4 }, { epsilon: 0.1 }).plan),
    );
    expect(single).toEqual(double);
  });
});

describe('the iteration', () => {
  const cost = randomCost(11, [20, 20]);

  it('reaches the same plan from a start near it, in fewer iterations', () => {
    const cold = sinkhorn(cost, { epsilon: 0.05, ...precise });
    const near = sinkhorn(cost, { epsilon: 0.06, ...precise });
    const warm = sinkhorn(cost, { epsilon: 0.05, ...precise, start: near });
    expect(warm.iterations).toBeLessThan(cold.iterations);
    expect(largestDifference(dense(warm.plan), dense(cold.plan))).toBeLessThan(1e-12);
    expect(sinkhorn(cost, { epsilon: 0.05, ...precise, tolerance: 1e-11, start: cold }).iterations).toBe(1);
  });

  it('says that it has not converged, and how far it is', () => {
    const { converged, iterations, marginalError, plan } = sinkhorn(cost, { epsilon: 1e-3, maxIterations: 5 });
    expect(converged).toBe(false);
    expect(iterations).toBe(5);
    const columns = sums(plan).columns;
    const error = columns.reduce((sum, mass, j) => sum + Math.abs(mass - plan.columnMarginal[j]!), 0);
    expect(marginalError).toBeGreaterThan(1e-6);
    expect(error).toBeCloseTo(marginalError, 12);
  });

  it('changes none of its arguments', () => {
    const values = Float64Array.from(cost.values);
    const start = { columnPotentials: new Float64Array(20).fill(0.5) };
    sinkhorn(cost, { epsilon: 0.1, start });
    expect(cost.values).toEqual(values);
    expect(start.columnPotentials).toEqual(new Float64Array(20).fill(0.5));
  });
});

describe('a mistake', () => {
  const cost = randomCost(12, [2, 3]);

  it.each([
    [{ epsilon: 0 }, ConfigError, '`epsilon` to be a finite number above 0'],
    [{ epsilon: -1 }, ConfigError, '`epsilon`'],
    [{ epsilon: Number.NaN }, ConfigError, '`epsilon`'],
    [{ epsilon: 1e-320 }, ConfigError, '`epsilon`'],
    [{ epsilon: 1, tolerance: -1 }, ConfigError, '`tolerance`'],
    [{ epsilon: 1, maxIterations: 0 }, ConfigError, '`maxIterations`'],
    [{ epsilon: 1, rowMarginal: [1, 1] }, ConfigError, 'the same total mass; got 2 and 1'],
    [{ epsilon: 1, rowMarginal: [2, -1] }, ConfigError, 'finite masses of at least 0; got -1 at 1'],
    [{ epsilon: 1, rowMarginal: [0, 0] }, ConfigError, 'zeros only'],
    [{ epsilon: 1, rowMarginal: [1] }, ShapeError, '`rowMarginal` to be [2]; got [1]'],
    [{ epsilon: 1, columnMarginal: [0.5, 0.5] }, ShapeError, '`columnMarginal` to be [3]'],
    [{ epsilon: 1, start: { columnPotentials: [0] } }, ShapeError, '`start.columnPotentials` to be [3]'],
    [{ epsilon: 1, start: { columnPotentials: [0, Number.NaN, 0] } }, NumericalError, 'finite'],
  ] as const)('in %j is named', (options, kind, message) => {
    expect(() => sinkhorn(cost, options)).toThrow(kind);
    expect(() => sinkhorn(cost, options)).toThrow(message);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'a cost of %d is named by place',
    (value) => {
      const faulty = costFrom(2, 3, (i, j) => (i === 1 && j === 2 ? value : 0));
      expect(() => sinkhorn(faulty, { epsilon: 1 })).toThrow(NumericalError);
      expect(() => sinkhorn(faulty, { epsilon: 1 })).toThrow(`got ${value} in row 1, column 2`);
    },
  );

  it.each([
    [0, 0, 0],
    [0, 3, 0],
    [2, 2, 3],
  ])('a cost of [%i, %i] with %i values is refused', (rows, columns, count) => {
    expect(() => sinkhorn({ values: new Float64Array(count), rows, columns }, { epsilon: 1 })).toThrow(ShapeError);
  });
});
