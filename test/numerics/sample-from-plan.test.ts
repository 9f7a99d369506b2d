import { describe, expect, it } from 'vitest';
import { ConfigError, NumericalError, ShapeError } from '../../src/errors.ts';
import { makeDoublyStochastic, roundToPermutation } from '../../src/numerics/dependent-rounding.ts';
import { sampleFromPlan } from '../../src/numerics/sample-from-plan.ts';
import { sinkhorn } from '../../src/numerics/sinkhorn.ts';
import { stream } from '../../src/numerics/stream.ts';
import type { TransportPlan } from '../../src/numerics/transport-plan.ts';
import { dense, givenPlan, randomCost, randomMasses } from './transport-problems.ts';

const draws = 20_000;

/** How many standard errors the frequencies of `draws` samples are away from the conditionals of the plan, at most. */
function worstDeviation(plan: TransportPlan, sample: (draw: number) => Int32Array): number {
  const counts = new Float64Array(plan.rows * plan.columns);
  for (let draw = 0; draw < draws; draw++) {
    for (const [i, j] of sample(draw).entries()) counts[i * plan.columns + j]!++;
  }
  const masses = dense(plan);
  return Math.max(
    ...Array.from(counts, (count, k) => {
      const row = plan.row(Math.floor(k / plan.columns));
      const p = masses[k]! / row.reduce((a, b) => a + b, 0);
      if (p < 1e-6) return count > 5 ? Number.POSITIVE_INFINITY : 0;
      return Math.abs(count / draws - p) / Math.sqrt(Math.max(p * (1 - p), 1e-9) / draws);
    }),
  );
}

const isPermutation = (partner: Int32Array) =>
  new Set(partner).size === partner.length && Math.max(...partner) === partner.length - 1;

const squares: readonly (readonly [string, TransportPlan])[] = [
  ['of entropic transport', sinkhorn(randomCost(1, [6, 6]), { epsilon: 0.2, tolerance: 1e-10 }).plan],
  [
    'that is nearly a pairing',
    sinkhorn(randomCost(2, [6, 6]), { epsilon: 0.02, tolerance: 1e-9, maxIterations: 10_000 }).plan,
  ],
  ['that is independent', sinkhorn(randomCost(3, [5, 5]), { epsilon: 1e6 }).plan],
  [
    'with zeros, a cycle of length 6',
    givenPlan([
      [0.2, 0.8, 0],
      [0, 0.2, 0.8],
      [0.8, 0, 0.2],
    ]),
  ],
  [
    'of two halves',
    givenPlan([
      [0.5, 0.5, 0, 0],
      [0.5, 0.5, 0, 0],
      [0, 0, 0.3, 0.7],
      [0, 0, 0.7, 0.3],
    ]),
  ],
];

describe.each(squares)('a plan %s', (_, plan) => {
  it('gives each target the sources of its own conditional, each source once', () => {
    const sample = (draw: number) => sampleFromPlan(plan, stream(7, 'test', draw));
    expect(worstDeviation(plan, sample)).toBeLessThan(4);
    for (let draw = 0; draw < 100; draw++) {
      const partner = sample(draw);
      expect(partner).toHaveLength(plan.rows);
      expect(isPermutation(partner)).toBe(true);
    }
  });

  it('gives each target the sources of its own conditional, with replacement', () => {
    const deviation = worstDeviation(plan, (draw) =>
      sampleFromPlan(plan, stream(8, 'test', draw), { sources: 'with-replacement' }),
    );
    expect(deviation).toBeLessThan(4);
  });
});

describe('sampling with replacement', () => {
  it('has the conditionals of plans that are neither square nor uniform, and one source for each target', () => {
    const marginals = { rowMarginal: randomMasses(1, 3), columnMarginal: randomMasses(2, 5) };
    const { plan } = sinkhorn(randomCost(4, [3, 5]), { epsilon: 0.3, ...marginals });
    const sample = (draw: number) => sampleFromPlan(plan, stream(9, 'test', draw), { sources: 'with-replacement' });
    expect(sample(0)).toHaveLength(3);
    expect(worstDeviation(plan, sample)).toBeLessThan(4);
  });

  it('draws rows independently, so that sources repeat', () => {
    const plan = givenPlan([
      [0.25, 0.25],
      [0.25, 0.25],
    ]);
    let repeated = 0;
    for (let draw = 0; draw < draws; draw++) {
      const [a, b] = sampleFromPlan(plan, stream(10, 'test', draw), { sources: 'with-replacement' });
      if (a === b) repeated++;
    }
    expect(Math.abs(repeated / draws - 0.5)).toBeLessThan((4 * 0.5) / Math.sqrt(draws));
  });

  it('never draws a source without mass', () => {
    const plan = givenPlan([[0, 0.5, 0, 0.5, 0]]);
    for (let draw = 0; draw < 1000; draw++) {
      const [j] = sampleFromPlan(plan, stream(11, 'test', draw), { sources: 'with-replacement' });
      expect([1, 3]).toContain(j);
    }
  });
});

describe('sampling each source once', () => {
  it('is a function of plan and stream, and leaves the plan alone', () => {
    const { plan } = sinkhorn(randomCost(5, [64, 64]), { epsilon: 0.1 });
    const before = dense(plan);
    const [one, other] = [0, 0].map((index) => sampleFromPlan(plan, stream(1, 'test', index)));
    expect(one).toEqual(other);
    expect(sampleFromPlan(plan, stream(1, 'test', 1))).not.toEqual(one);
    expect(dense(plan)).toEqual(before);
  });

  it.each([
    [200, 1],
    [200, 0.05],
    [200, 0.001],
    [150, 1e6],
  ])('holds for %i targets at epsilon %d, converged or not', (n, epsilon) => {
    const { plan } = sinkhorn(randomCost(6, [n, n]), { epsilon, maxIterations: 50 });
    for (let draw = 0; draw < 3; draw++)
      expect(isPermutation(sampleFromPlan(plan, stream(2, 'test', draw)))).toBe(true);
  });

  it('gives back a plan that is a pairing', () => {
    const plan = givenPlan([
      [0, 1, 0],
      [0, 0, 1],
      [1, 0, 0],
    ]);
    expect([...sampleFromPlan(plan, stream(1, 'test'))]).toEqual([1, 2, 0]);
  });

  it('keeps the mean cost of the plan', () => {
    const cost = randomCost(7, [40, 40]);
    const outcome = sinkhorn(cost, { epsilon: 0.1, tolerance: 1e-9 });
    const costs = Array.from({ length: 400 }, (_, draw) => {
      const partner = sampleFromPlan(outcome.plan, stream(3, 'test', draw));
      return partner.reduce((sum, j, i) => sum + cost.values[i * 40 + j]!, 0) / 40;
    });
    const mean = costs.reduce((a, b) => a + b, 0) / costs.length;
    const variance = costs.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (costs.length - 1);
    expect(Math.abs(mean - outcome.cost)).toBeLessThan(4 * Math.sqrt(variance / costs.length));
  });

  it.each([
    [givenPlan([[0.5, 0.5]]), ShapeError, 'as many rows as columns, where each source is used once; got [1, 2]'],
    [
      givenPlan([
        [0.4, 0],
        [0, 0.6],
      ]),
      ConfigError,
      '`rowMarginal` to be uniform',
    ],
    [
      givenPlan([
        [0.5, 0],
        [0.5, 0],
      ]),
      ConfigError,
      '`columnMarginal` to be uniform',
    ],
    [
      givenPlan([
        [1, -0.5],
        [-0.5, 1],
      ]),
      NumericalError,
      'row 0 of the plan',
    ],
    [{ ...givenPlan([[1]]), row: () => Float64Array.of(Number.NaN) }, NumericalError, 'row 0 of the plan'],
  ] as const)('refuses a plan that it cannot round: %#', (plan, kind, message) => {
    expect(() => sampleFromPlan(plan, stream(1, 'test'))).toThrow(kind);
    expect(() => sampleFromPlan(plan, stream(1, 'test'))).toThrow(message);
  });
});

describe('mending a matrix', () => {
  it('gives rows and columns the sum 1, at a change of at most twice the error of the sums', () => {
    const n = 12;
    const matrix = Float64Array.from(
      dense(sinkhorn(randomCost(8, [n, n]), { epsilon: 0.05, maxIterations: 2 }).plan),
      (mass) => mass * n,
    );
    const columnError = (values: Float64Array) => {
      const columns = new Float64Array(n);
      for (const [k, value] of values.entries()) columns[k % n]! += value;
      return columns.reduce((sum, column) => sum + Math.abs(column - 1), 0);
    };
    const before = Float64Array.from(matrix);
    makeDoublyStochastic(matrix, n);
    expect(columnError(before)).toBeGreaterThan(0.01);
    expect(columnError(matrix)).toBeLessThan(1e-12);
    expect(matrix.every((value) => value >= 0)).toBe(true);
    for (let i = 0; i < n; i++) {
      expect(matrix.subarray(i * n, (i + 1) * n).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    }
    const change = matrix.reduce((sum, value, k) => sum + Math.abs(value - before[k]!), 0);
    expect(change).toBeLessThanOrEqual(2 * columnError(before) + 1e-12);
  });

  it('refuses a matrix that is not square', () => {
    expect(() => roundToPermutation(new Float64Array(6), stream(1, 'test'))).toThrow(ShapeError);
  });
});
