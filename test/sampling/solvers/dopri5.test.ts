import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/errors.ts';
import { dopri5 } from '../../../src/sampling/solvers/dopri5.ts';
import type { VelocityField } from '../../../src/sampling/solvers/solver.ts';
import { uniformGrid } from '../../../src/sampling/time-grid.ts';
import { elementwise, fieldOf, gaussianSlope, goldens, recorded } from './test-problems.ts';

const UNIT = Float64Array.of(0, 1);
const withTolerance = (tolerance: number) => dopri5({ relativeTolerance: tolerance, absoluteTolerance: tolerance });

const GOLDEN_FIELDS: Readonly<Record<string, VelocityField<Float64Array>>> = {
  'sin(x)+t': elementwise((x, t) => Math.sin(x) + t),
  '-x': elementwise((x) => -x),
  'gauss m=2 s=.5': elementwise(gaussianSlope(2, 0.5)),
  '3t^2': elementwise((_, t) => 3 * t * t),
};

describe("dopri5 with torchdiffeq's controller", () => {
  it.each(goldens.ode_dopri5_torchdiffeq_controller.cases)(
    'agrees with the golden case $rhs at $tol',
    async (golden) => {
      const solver = dopri5({
        controller: 'torchdiffeq',
        relativeTolerance: golden.tol,
        absoluteTolerance: golden.tol,
      });
      // The state of the golden run is one vector; as a batch of its elements it has the same norm.
      for (const batch of [1, golden.y0.length]) {
        const x0 = Float64Array.from(golden.y0);
        const { problem, times } = recorded({ field: GOLDEN_FIELDS[golden.rhs]!, x0, batch });
        const solution = await solver.solve(problem, UNIT);
        for (const [i, y] of golden.y1.entries()) expect(Math.abs(solution.x[i]! - y)).toBeLessThan(1e-12);
        expect(solution.modelCalls).toBe(golden.nfe);
        expect(Array.from(solution.evaluations)).toEqual(new Array(batch).fill(golden.nfe));
        expect([solution.accepted[0], solution.rejected[0]]).toEqual([golden.accepted, golden.rejected]);
        expect(Math.max(...times[0]!)).toBeCloseTo(golden.largest_t_evaluated, 11);
      }
    },
  );

  it('couples samples: one needs more evaluations beside a difficult one', async () => {
    const field = fieldOf<Float64Array>(([x], t) => [Math.abs(x!) > 10 ? 30 * Math.cos(40 * t) * x! : -x!]);
    const coupled = dopri5({ controller: 'torchdiffeq' });
    const alone = await coupled.solve({ field, x0: Float64Array.of(1), batch: 1 }, UNIT);
    const beside = await coupled.solve({ field, x0: Float64Array.of(1, 100), batch: 2 }, UNIT);
    expect(beside.evaluations[0]).toBeGreaterThan(2 * alone.evaluations[0]!);
  });
});

describe('dopri5 with steps of its own for each sample', () => {
  it('keeps the error near the tolerance and takes fewer steps for looser ones', async () => {
    let evaluations = 0;
    for (const tolerance of [1e-3, 1e-5, 1e-7, 1e-9]) {
      const problem = { field: GOLDEN_FIELDS['sin(x)+t']!, x0: Float64Array.of(1), batch: 1 };
      const solution = await withTolerance(tolerance).solve(problem, UNIT);
      expect(Math.abs(solution.x[0]! - goldens.ode_fixed.reference)).toBeLessThan(10 * tolerance);
      expect(solution.evaluations[0]).toBe(2 + 6 * (solution.accepted[0]! + solution.rejected[0]!));
      expect(solution.evaluations[0]).toBeGreaterThan(evaluations);
      evaluations = solution.evaluations[0]!;
    }
  });

  it('lets easy samples finish first: they are frozen and not counted', async () => {
    const field = fieldOf<Float64Array>(([x], t) => [Math.abs(x!) > 10 ? 30 * Math.cos(40 * t) * x! : -x!]);
    const { problem, times } = recorded({ field, x0: Float64Array.of(1, 100), batch: 2 });
    const solution = await dopri5().solve(problem, UNIT);
    expect(solution.evaluations[0]).toBeLessThan(solution.evaluations[1]! / 2);
    expect(times.map((row) => row.length)).toEqual(Array.from(solution.evaluations));
    expect(solution.modelCalls).toBe(solution.evaluations[1]);
    expect(Math.abs(solution.x[0]! - Math.exp(-1))).toBeLessThan(1e-5);
    expect(Math.abs(solution.x[1]! / (100 * Math.exp(0.75 * Math.sin(40))) - 1)).toBeLessThan(1e-3);
  });

  it('shows frozen samples to the field at their last state and time', async () => {
    let last: readonly number[] = [];
    const inner = fieldOf<Float64Array>(([x], t) => [Math.abs(x!) > 10 ? 30 * Math.cos(40 * t) * x! : -x!]);
    const field: VelocityField<Float64Array> = (x, time, active) => {
      last = [x[0]!, time[0]!, active[0]!];
      return inner(x, time, active);
    };
    const { x } = await dopri5().solve({ field, x0: Float64Array.of(1, 100), batch: 2 }, UNIT);
    expect(last).toEqual([x[0], 1, 0]);
  });

  it('stops at the limit of evaluations and says so', async () => {
    const field = elementwise((x, t) => (x > 10 ? 30 * Math.cos(40 * t) * x : -x));
    const problem = { field, x0: Float64Array.of(1, 100), batch: 2 };
    const solution = await dopri5({ maxEvaluations: 40 }).solve(problem, uniformGrid(10), { trajectory: true });
    expect(solution.converged).toBe(false);
    expect(solution.evaluations[1]).toBeLessThanOrEqual(40);
    expect(solution.time[0]).toBe(1);
    expect(solution.time[1]).toBeGreaterThan(0);
    expect(solution.time[1]).toBeLessThan(1);
    expect(solution.x[1]).toBe(solution.trajectory!.at(-1)![1]);
    expect(Math.abs(solution.x[1]! / (100 * Math.exp(0.75 * Math.sin(40 * solution.time[1]!))) - 1)).toBeLessThan(1e-3);
  });

  it('stops where the step vanishes: at a pole, or at a tolerance that float32 cannot meet', async () => {
    const pole = { field: elementwise((x) => x * x), x0: Float64Array.of(2), batch: 1 };
    const solution = await dopri5().solve(pole, UNIT);
    expect(solution.converged).toBe(false);
    expect(solution.time[0]).toBeCloseTo(0.5, 3);
    const field = elementwise<Float32Array>((x, t) => Math.sin(50 * x) + t);
    const fine = dopri5({ relativeTolerance: 0, absoluteTolerance: 1e-14, maxEvaluations: 2000 });
    const rounded = await fine.solve({ field, x0: Float32Array.of(1), batch: 1 }, UNIT);
    expect(rounded.converged).toBe(false);
  });

  it('handles a field that is singular just beyond the end', async () => {
    // The exact velocity to the single datum 3: (3 - x)/(1 - t), undefined at t = 1 but for its limit.
    const field = elementwise((x, t) => (t < 1 ? (3 - x) / (1 - t) : 3 - x));
    const { problem, times } = recorded({ field, x0: Float64Array.of(-1, 0.5), batch: 2 });
    const solution = await dopri5().solve(problem, Float64Array.of(0, 0.999));
    expect(solution.converged).toBe(true);
    expect(Math.max(...times.flat())).toBe(0.999);
    expect(Math.abs(solution.x[0]! - (3 - 4 * 0.001))).toBeLessThan(1e-4);
  });

  it('refuses settings out of range', () => {
    expect(() => dopri5({ absoluteTolerance: 0 })).toThrow(ConfigError);
    expect(() => dopri5({ maxEvaluations: 7 })).toThrow('maxEvaluations >= 8');
    expect(() => dopri5({ relativeTolerance: Number.NaN })).toThrow(ConfigError);
  });
});

// The problems of torchdiffeq's own tests on [1, 8] with ten times, forwards and backwards; see its tests/problems.py.
const TIMES = Float64Array.from({ length: 10 }, (_, i) => 1 + (7 * i) / 9);
const sine = (t: number) =>
  -0.5 * t ** 4 * Math.cos(2 * t) +
  0.5 * t ** 3 * Math.sin(2 * t) +
  0.25 * t ** 2 * Math.cos(2 * t) -
  t ** 3 +
  2 * t ** 4 +
  (Math.PI - 0.25) * t ** 2;
const PROBLEMS = [
  {
    name: 'constant',
    slope: (y: number, t: number) => 0.2 + (y - (0.2 * t + 3)) ** 5,
    exact: (t: number) => 0.2 * t + 3,
  },
  {
    name: 'sine',
    slope: (y: number, t: number) => (2 * y) / t + t ** 4 * Math.sin(2 * t) - t ** 2 + 4 * t ** 3,
    exact: sine,
  },
  {
    name: 'exponential',
    slope: (_: number, t: number) => -0.1 * Math.exp(-0.1 * t),
    exact: (t: number) => Math.exp(-0.1 * t),
  },
];

describe.each([dopri5(), dopri5({ controller: 'torchdiffeq' })])("torchdiffeq's test problems", (solver) => {
  it.each(PROBLEMS)('$name, at all times and both ways', async ({ slope, exact }) => {
    for (const grid of [TIMES, TIMES.toReversed()]) {
      const problem = { field: elementwise(slope), x0: Float64Array.of(exact(grid[0]!)), batch: 1 };
      const { trajectory } = await solver.solve(problem, grid, { trajectory: true });
      for (const [i, t] of grid.entries()) expect(Math.abs(trajectory![i]![0]! / exact(t) - 1)).toBeLessThan(3e-4);
    }
  });

  it('linear with a skew matrix: the norm is kept, and going back returns to the start', async () => {
    const size = 10;
    const matrix = Array.from({ length: size }, (_, i) =>
      Array.from({ length: size }, (_, j) => Math.sin(i - j) * 0.7),
    );
    const field = fieldOf<Float64Array>((x) => matrix.map((row) => row.reduce((sum, a, j) => sum + a * x[j]!, 0)));
    const x0 = Float64Array.from({ length: size }, (_, i) => Math.cos(i));
    const there = await solver.solve({ field, x0, batch: 1 }, TIMES);
    expect(Math.hypot(...there.x) / Math.hypot(...x0)).toBeCloseTo(1, 3);
    const back = await solver.solve({ field, x0: there.x, batch: 1 }, TIMES.toReversed());
    for (const [i, x] of x0.entries()) expect(Math.abs(back.x[i]! - x)).toBeLessThan(2e-3);
  });
});
