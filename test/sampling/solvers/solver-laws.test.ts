import { describe, expect, it } from 'vitest';
import { ConfigError, NumericalError, ShapeError } from '../../../src/errors.ts';
import { normalsFromSeeds } from '../../../src/numerics/normal.ts';
import { dopri5 } from '../../../src/sampling/solvers/dopri5.ts';
import { dormandPrince } from '../../../src/sampling/solvers/dormand-prince.ts';
import { explicitRungeKutta } from '../../../src/sampling/solvers/explicit-runge-kutta.ts';
import type { Solver } from '../../../src/sampling/solvers/solver.ts';
import { SOLVERS } from '../../../src/sampling/solvers/solver-table.ts';
import { reversedGrid, uniformGrid } from '../../../src/sampling/time-grid.ts';
import { elementwise, fieldOf, gaussianSlope, goldens, recorded } from './test-problems.ts';

const FIXED = Object.values(SOLVERS).filter((solver) => solver.evaluationsPerStep !== null);
/** With fixed steps, the order of dopri5's own method can be measured. */
const MEASURED: readonly Solver[] = [...FIXED, explicitRungeKutta('dopri5 with fixed steps', dormandPrince)];
const ALL: readonly Solver[] = [...FIXED, dopri5({ relativeTolerance: 1e-9, absoluteTolerance: 1e-9 })];
const TORCHDIFFEQ = dopri5({ controller: 'torchdiffeq', relativeTolerance: 1e-9, absoluteTolerance: 1e-9 });

// A decaying rotation x' = A x, whose solution is the exponential of A, with a logistic equation beside it.
const rotation = fieldOf<Float64Array>(([x, y, z]) => [-0.5 * x! - 3 * y!, 3 * x! - 0.5 * y!, 2 * z! * (1 - z!)]);
const START = [1, -0.5, 0.2];
const exactRotation = (t: number): number[] => {
  const [decay, c, s] = [Math.exp(-0.5 * t), Math.cos(3 * t), Math.sin(3 * t)];
  const [x, y, z] = START as [number, number, number]; // three numbers by construction
  return [decay * (c * x - s * y), decay * (s * x + c * y), 1 / (1 + (1 / z - 1) * Math.exp(-2 * t))];
};
// An equation that depends on time.
const driven = elementwise((x, t) => x * Math.cos(3 * t) * 2);
const exactDriven = (t: number) => Math.exp((2 / 3) * Math.sin(3 * t));

const largestError = (x: ArrayLike<number>, exact: readonly number[]) =>
  Math.max(...exact.map((value, i) => Math.abs(x[i]! - value)));

// The same with four frequencies, so that no leading term of the error vanishes at the end by chance.
const FREQUENCIES = [1, 2, 3.5, 5];
const mixed = fieldOf<Float64Array>((x, t) => FREQUENCIES.map((w, i) => 2 * x[i]! * Math.cos(w * t)));
const exactMixed = (t: number) => FREQUENCIES.map((w) => Math.exp((2 / w) * Math.sin(w * t)));

/** Slope of log error over log step size between the two finest of the grids whose error is above rounding. */
async function measuredOrder(error: (steps: number) => Promise<number>): Promise<number> {
  const errors: number[] = [];
  for (const steps of [16, 32, 64, 128, 256, 512]) {
    const value = await error(steps);
    if (value > 1e-12) errors.push(value);
  }
  return Math.log2(errors.at(-2)! / errors.at(-1)!);
}

describe.each(MEASURED)('$name', (solver) => {
  it('has its declared order on a linear and a logistic system', async () => {
    const order = await measuredOrder(async (steps) => {
      const problem = { field: rotation, x0: Float64Array.from(START), batch: 1 };
      return largestError((await solver.solve(problem, uniformGrid(steps))).x, exactRotation(1));
    });
    expect(Math.abs(order - solver.order), `order ${order}`).toBeLessThan(0.2);
  });

  it('has its declared order on an equation that depends on time', async () => {
    const order = await measuredOrder(async (steps) => {
      const problem = { field: mixed, x0: Float64Array.from(exactMixed(0)), batch: 1 };
      return largestError((await solver.solve(problem, uniformGrid(steps))).x, exactMixed(1));
    });
    expect(Math.abs(order - solver.order), `order ${order}`).toBeLessThan(0.2);
  });

  it('keeps its order on uneven grids and backwards in time', async () => {
    const order = await measuredOrder(async (steps) => {
      const grid = uniformGrid(steps).map((t) => t * t * (3 - 2 * t));
      const problem = { field: mixed, x0: Float64Array.from(exactMixed(1)), batch: 1 };
      return largestError((await solver.solve(problem, reversedGrid(grid))).x, exactMixed(0));
    });
    expect(Math.abs(order - solver.order), `order ${order}`).toBeLessThan(0.2);
  });
});

describe.each(FIXED)('$name with fixed steps', (solver) => {
  it('counts the evaluations that it declares, for each sample and for the batch', async () => {
    const { problem, times } = recorded({ field: driven, x0: new Float64Array(6).fill(1), batch: 3 });
    const solution = await solver.solve(problem, uniformGrid(7));
    const expected = 7 * solver.evaluationsPerStep!;
    expect(times.map((row) => row.length)).toEqual([expected, expected, expected]);
    expect(Array.from(solution.evaluations)).toEqual([expected, expected, expected]);
    expect(solution.modelCalls).toBe(expected);
    expect([solution.converged, solution.accepted[0], solution.rejected[0]]).toEqual([true, 7, 0]);
  });
});

describe.each([...ALL, TORCHDIFFEQ])('$name over a batch', (solver) => {
  const flow = elementwise<Float32Array>(gaussianSlope(2, 0.5));

  it('returns the states at the times of the grid when asked', async () => {
    const grid = Float64Array.of(0, 0.1, 0.35, 1);
    const dense = Float64Array.from({ length: 301 }, (_, i) => i / 300);
    const problem = { field: driven, x0: Float64Array.of(1, 1), batch: 2 };
    const plain = await solver.solve(problem, grid);
    const { trajectory, x } = await solver.solve(problem, grid, { trajectory: true });
    expect(plain.trajectory).toBeNull();
    expect(plain.x).toEqual(x);
    expect(trajectory).toHaveLength(4);
    expect(trajectory![0]).toEqual(problem.x0);
    expect(trajectory![3]).toEqual(x);
    const fine = (await solver.solve(problem, dense, { trajectory: true })).trajectory!;
    const worst = Math.max(...fine.map((state, i) => Math.abs(state[0]! - exactDriven(dense[i]!))));
    expect(worst).toBeLessThan(solver.order === 1 ? 2e-2 : 2e-5);
  });

  it('leaves the initial states alone, and refuses what it cannot use', async () => {
    const x0 = Float64Array.of(1, 2, 3);
    await solver.solve({ field: driven, x0, batch: 3 }, uniformGrid(4));
    expect(x0).toEqual(Float64Array.of(1, 2, 3));
    const problem = { field: driven, x0, batch: 3 };
    await expect(solver.solve({ ...problem, batch: 2 }, uniformGrid(4))).rejects.toThrow(ShapeError);
    for (const grid of [[0], [0, 0.5, 0.5], [0, 0.6, 0.5, 1], [0, Number.NaN]]) {
      await expect(solver.solve(problem, Float64Array.from(grid))).rejects.toThrow(ConfigError);
    }
    const short = { ...problem, field: async () => new Float64Array(2) };
    await expect(solver.solve(short, uniformGrid(4))).rejects.toThrow(
      'to give Float64Array [3] like `x`; got Float64Array [2]',
    );
  });

  it('names the sample whose velocity is not finite', async () => {
    const field = fieldOf<Float64Array>((x) => [x[0]! > 1.5 ? Number.NaN : 1]);
    const solved = solver.solve({ field, x0: Float64Array.of(1, 2), batch: 2 }, uniformGrid(2));
    await expect(solved).rejects.toThrow(NumericalError);
    await expect(solved).rejects.toThrow('NaN in element 0 of sample 1 at time 0');
  });

  it('accepts a field that gives the same array each time', async () => {
    const reused = new Float32Array(4);
    const problem = { field: flow, x0: Float32Array.of(0.7, -1, 2, 0), batch: 2 };
    const field: typeof flow = async (x, time, active) => {
      reused.set(await flow(x, time, active));
      return reused;
    };
    expect((await solver.solve({ ...problem, field }, uniformGrid(5))).x).toEqual(
      (await solver.solve(problem, uniformGrid(5))).x,
    );
  });
});

describe.each([...FIXED, dopri5()])('$name, sample by sample', (solver) => {
  it('gives a sample the same bits alone and in any batch, in both dtypes', async () => {
    const elements = 5;
    const noise = normalsFromSeeds(Uint32Array.of(1, 2, 3, 4, 5, 6), elements).map(
      (x, i) => x * (1 + Math.floor(i / elements)),
    );
    for (const x0 of [noise, Float64Array.from(noise)]) {
      const field = elementwise<typeof x0>(gaussianSlope(2, 0.05));
      const grid = uniformGrid(6);
      const together = await solver.solve({ field, x0, batch: 6 }, grid, { trajectory: true });
      for (let row = 0; row < 6; row++) {
        const own = x0.slice(row * elements, (row + 1) * elements);
        const alone = await solver.solve({ field, x0: own, batch: 1 }, grid, { trajectory: true });
        expect(together.x.slice(row * elements, (row + 1) * elements)).toEqual(alone.x);
        expect(together.evaluations[row]).toBe(alone.evaluations[0]);
        const middle = together.trajectory![3]!.slice(row * elements, (row + 1) * elements);
        expect(middle).toEqual(alone.trajectory![3]);
      }
    }
  });

  it('evaluates the field inside the interval only, forwards and backwards', async () => {
    for (const grid of [
      uniformGrid(5),
      reversedGrid(uniformGrid(5)),
      Float64Array.of(0.1, 0.7),
      Float64Array.of(0.7, 0.1),
    ]) {
      const { problem, times } = recorded({ field: driven, x0: Float64Array.of(1, 0.01, 50, 0), batch: 4 });
      const { time } = await solver.solve(problem, grid);
      const all = times.flat();
      expect(Math.min(...all)).toBeGreaterThanOrEqual(Math.min(grid[0]!, grid.at(-1)!));
      expect(Math.max(...all)).toBeLessThanOrEqual(Math.max(grid[0]!, grid.at(-1)!));
      expect(Array.from(time)).toEqual(new Array(4).fill(grid.at(-1)));
    }
  });
});

describe('fixed-step solvers', () => {
  const GOLDEN_NAMES: Readonly<Record<string, string>> = { heun2: 'heun', rk4_38: 'rk4-38' };

  it.each(goldens.ode_fixed.cases)(
    'agree with the golden case of $method in $steps steps',
    async ({ method, steps, nfe, x1 }) => {
      const solver = FIXED.find(({ name }) => name === (GOLDEN_NAMES[method] ?? method))!;
      const problem = {
        field: elementwise((x, t) => Math.sin(x) + t),
        x0: Float64Array.of(goldens.ode_fixed.x0),
        batch: 1,
      };
      const solution = await solver.solve(problem, uniformGrid(steps));
      expect(Math.abs(solution.x[0]! - x1)).toBeLessThan(1e-13);
      expect(solution.modelCalls).toBe(nfe);
    },
  );

  it('Euler on x = x in ten steps is 1.1^10', async () => {
    const problem = { field: elementwise((x) => x), x0: Float64Array.of(1), batch: 1 };
    expect((await SOLVERS.euler.solve(problem, uniformGrid(10))).x[0]).toBeCloseTo(1.1 ** 10, 12);
  });

  it.each(FIXED)(
    '$name solves an equation that its solution does not enter, and the quintic beside a line',
    async (solver) => {
      const polynomial = { field: elementwise((_, t) => 3 * t * t), x0: Float64Array.of(1, 0), batch: 1 };
      const { x } = await solver.solve(polynomial, uniformGrid(1000));
      expect(largestError(x, [2, 1])).toBeLessThan(2e-3);
      const line = { field: elementwise((y, t) => 0.2 + (y - (0.2 * t + 3)) ** 5), x0: Float64Array.of(3.2), batch: 1 };
      const grid = Float64Array.from({ length: 10 }, (_, i) => 1 + (7 * i) / 9);
      expect(largestError((await solver.solve(line, grid)).x, [4.6])).toBeLessThan(1e-12);
    },
  );
});

describe('the Gaussian field', () => {
  it('is the golden one', () => {
    for (const { m, s, t, x, v } of goldens.gaussian_field.cases) expect(gaussianSlope(m, s)(x, t)).toBeCloseTo(v, 13);
  });

  it.each(ALL)('flows to the golden end by $name', async (solver) => {
    const problem = {
      field: elementwise(gaussianSlope(2, 0.5)),
      x0: Float64Array.of(goldens.gaussian_field.x0),
      batch: 1,
    };
    const { x } = await solver.solve(problem, uniformGrid(400));
    expect(Math.abs(x[0]! - goldens.gaussian_field.x1)).toBeLessThan(10 * 400 ** -Math.min(solver.order, 3) + 1e-8);
  });
});
