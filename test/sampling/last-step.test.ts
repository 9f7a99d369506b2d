import { describe, expect, it } from 'vitest';
import { hostClosedForm } from '../../src/closed-form/host-closed-form.ts';
import { ConfigError } from '../../src/errors.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { stepToEnd, withLastStep } from '../../src/sampling/last-step.ts';
import { dopri5 } from '../../src/sampling/solvers/dopri5.ts';
import type { InitialValueProblem, Solver } from '../../src/sampling/solvers/solver.ts';
import { SOLVERS, type SolverName } from '../../src/sampling/solvers/solver-table.ts';
import { cosineGrid, uniformGrid } from '../../src/sampling/time-grid.ts';
import { dataRows } from '../closed-form/data-rows.ts';

const names = Object.keys(SOLVERS) as SolverName[];
const FIXED: readonly Solver[] = Object.values(SOLVERS).filter(({ evaluationsPerStep }) => evaluationsPerStep !== null);

/** The exact field of data on a line. */
const numbers = [-1.5, -0.25, 0.75, 2];
const lineField = hostClosedForm(dataRows(Float32Array.from(numbers), 1));
const noises = Float64Array.of(-1.7, -0.4, 0.1, 0.9, 2.2);
const line: InitialValueProblem<Float64Array> = {
  field: async (x, time) => (await lineField.evaluate(x, time)).velocity,
  x0: noises,
  batch: noises.length,
};

/** Share of a standard normal below z, by the sum of z^(2k+1)/(2k+1)!! times its density. */
function normalShare(z: number): number {
  let [sum, term] = [0, z];
  for (let k = 1; Math.abs(term) > 1e-18; k++) {
    sum += term;
    term *= (z * z) / (2 * k + 1);
  }
  return 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}

/** Where the exact flow on a line has carried a noise at time t: flows there keep shares, so that the mixture's below it is the noise's. */
function carried(noise: number, t: number): number {
  const share = (x: number) =>
    numbers.reduce((sum, one) => sum + normalShare((x - t * one) / (1 - t)), 0) / numbers.length;
  let [low, high] = [-4, 4];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (share(middle) < normalShare(noise)) low = middle;
    else high = middle;
  }
  return low;
}

/** Mean of the data by their weights at x and t. */
function weightedMean(x: number, t: number): number {
  const weights = numbers.map((one) => Math.exp(-((x - t * one) ** 2) / (2 * (1 - t) ** 2)));
  const total = weights.reduce((a, b) => a + b);
  return weights.reduce((sum, weight, i) => sum + weight * numbers[i]!, 0) / total;
}

describe.each(FIXED)('a last step after $name', (solver) => {
  it('ends where the exact flow up to it does, to the order of the solver', async () => {
    const lastStep = 0.35;
    const wanted = [...noises].map((noise) => weightedMean(carried(noise, 1 - lastStep), 1 - lastStep));
    const errors: number[] = [];
    for (const steps of [32, 64, 128, 256]) {
      const { x } = await withLastStep(solver, lastStep).solve(line, uniformGrid(steps));
      const error = Math.max(...x.map((value, i) => Math.abs(value - wanted[i]!)));
      if (error > 1e-10) errors.push(error);
    }
    const order = Math.log2(errors.at(-2)! / errors.at(-1)!);
    expect(Math.abs(order - solver.order), `order ${order}`).toBeLessThan(0.3);
  });

  it('is one more evaluation than its steps take', async () => {
    const { evaluations, accepted, modelCalls } = await withLastStep(solver, 0.01).solve(line, uniformGrid(7));
    const count = 7 * solver.evaluationsPerStep! + 1;
    expect([...evaluations]).toEqual(Array.from(noises, () => count));
    expect([...accepted]).toEqual(Array.from(noises, () => 8));
    expect(modelCalls).toBe(count);
  });
});

describe.each(names)('a last step after %s', (name) => {
  const solver = withLastStep(SOLVERS[name], 0.02);

  it('asks for the field up to where it begins, and is straight', async () => {
    const times: number[] = [];
    const field: typeof line.field = (x, time, active) => {
      times.push(Math.max(...time));
      return line.field(x, time, active);
    };
    const { x, time, converged } = await solver.solve({ ...line, field }, cosineGrid(12));
    expect(Math.max(...times)).toBe(0.98);
    expect(times.at(-1)).toBe(0.98);
    expect([...time]).toEqual(Array.from(noises, () => 1));
    expect(converged).toBe(true);
    for (const value of x) expect(Math.min(...numbers.map((one) => Math.abs(one - value)))).toBeLessThan(1e-6);
  });

  it('gives a trajectory with a state for each time, the last at 1', async () => {
    const { x, trajectory } = await solver.solve(line, uniformGrid(5), { trajectory: true });
    expect(trajectory).toHaveLength(6);
    expect(trajectory![0]).toEqual(noises);
    expect(trajectory![5]).toEqual(x);
  });
});

describe('a last step', () => {
  it('is left out for samples that do not get there', async () => {
    const tolerances = { relativeTolerance: 1e-6, absoluteTolerance: 1e-6 };
    const { evaluations } = await dopri5(tolerances).solve(line, Float64Array.of(0, 0.99));
    // Enough for all samples but the slowest.
    const tight = dopri5({ ...tolerances, maxEvaluations: Math.max(...evaluations) - 1 });
    const plain = await tight.solve(line, Float64Array.of(0, 0.99));
    const solution = await withLastStep(tight, 0.01).solve(line, uniformGrid(1));
    const arrived = [...plain.time].map((time) => time === 0.99);
    expect(new Set(arrived).size).toBe(2);
    expect(solution.converged).toBe(false);
    for (const [row, there] of arrived.entries()) {
      expect(solution.time[row]).toBe(there ? 1 : plain.time[row]);
      expect(solution.evaluations[row]).toBe(plain.evaluations[row]! + (there ? 1 : 0));
      if (!there) expect(solution.x[row]).toBe(plain.x[row]);
    }
  });

  it('is exact for a single datum, whatever its length', async () => {
    const datum = Float32Array.of(0.5, -2, 1);
    const single = hostClosedForm(dataRows(datum, 3));
    const x0 = Float64Array.from(normalsFromSeeds(Uint32Array.of(1, 2), 3));
    const problem: InitialValueProblem<Float64Array> = {
      field: async (x, time) => (await single.evaluate(x, time)).velocity,
      x0,
      batch: 2,
    };
    for (const lastStep of [0.9, 0.1, 1e-6]) {
      const { x } = await withLastStep(SOLVERS.heun, lastStep).solve(problem, uniformGrid(3));
      for (const [i, value] of x.entries()) expect(value).toBeCloseTo(datum[i % 3]!, 9);
    }
    const ends = await stepToEnd(problem, Float64Array.of(0, 0), Uint8Array.of(0, 1));
    expect(ends.slice(0, 3)).toEqual(x0.slice(0, 3));
    expect([...ends.slice(3)].map((value) => Math.fround(value))).toEqual([...datum]);
  });

  it('refuses lengths outside (0, 1) and grids that do not go from 0 to 1', async () => {
    for (const length of [0, 1, -0.1, Number.NaN]) {
      expect(() => withLastStep(SOLVERS.euler, length)).toThrow(ConfigError);
    }
    const solver = withLastStep(SOLVERS.euler, 0.1);
    await expect(solver.solve(line, Float64Array.of(0, 0.5))).rejects.toThrow(
      'Expected times from 0 to 1; got 0 to 0.5.',
    );
  });
});
