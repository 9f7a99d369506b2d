import { describe, expect, it } from 'vitest';
import { intervalCurvature, meanByInterval, trajectoryCurvature } from '../../src/analysis/curvature.ts';
import { followFlow } from '../../src/analysis/flow-trajectory.ts';
import { NumericalError } from '../../src/errors.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { dopri5 } from '../../src/sampling/solvers/dopri5.ts';
import { SOLVERS } from '../../src/sampling/solvers/solver-table.ts';
import { uniformGrid } from '../../src/sampling/time-grid.ts';
import { elementwise, fieldOf } from '../sampling/solvers/test-problems.ts';
import { betweenNormals, drift, rotation } from './known-flows.ts';

const exact = dopri5({ relativeTolerance: 1e-12, absoluteTolerance: 1e-12 });
const noise = (count: number) => Float64Array.from(normalsFromSeeds(Uint32Array.of(1), count));

describe('curvature', () => {
  it('is 0 along straight lines', async () => {
    const problem = drift([1, -2, 0.5], noise(12));
    const curvature = intervalCurvature(await followFlow(problem, SOLVERS.euler, uniformGrid(7)));
    expect([...curvature.values]).toEqual(new Array(4 * 7).fill(0));
    expect([...trajectoryCurvature(curvature).turning]).toEqual([0, 0, 0, 0]);
  });

  it.each([0.3, 2, 9])('of a rotation by %d rad is 1 - cos(omega dt) in every interval', async (omega) => {
    // Two planes at once; every sample has another radius.
    const problem = rotation(omega, noise(12), 3);
    for (const intervals of [8, 16, 64]) {
      const curvature = intervalCurvature(await followFlow(problem, exact, uniformGrid(intervals)));
      const expected = 1 - Math.cos(omega / intervals);
      for (const value of curvature.values) expect(Math.abs(value / expected - 1)).toBeLessThan(1e-6);
      for (const { mean, standardError, count } of meanByInterval(curvature)) {
        expect(Math.abs(mean / expected - 1)).toBeLessThan(1e-6);
        expect(standardError / expected).toBeLessThan(1e-6);
        expect(count).toBe(3);
      }
      const { mean, sum, turning } = trajectoryCurvature(curvature);
      for (let row = 0; row < 3; row++) {
        expect(mean[row]! / expected).toBeCloseTo(1, 6);
        expect(sum[row]! / (intervals * expected)).toBeCloseTo(1, 6);
        // The angle itself does not depend on the grid.
        expect(turning[row]! / omega).toBeCloseTo(1, 6);
      }
    }
  });

  it('is that of the unit vectors, as the paper writes it', async () => {
    const field = fieldOf<Float64Array>(([x, y, z], t) => [y! - t, x! * z! + 1, Math.sin(3 * t) - x!]);
    const trajectory = await followFlow({ field, x0: noise(6), batch: 2 }, SOLVERS.midpoint, uniformGrid(5));
    const { values } = intervalCurvature(trajectory);
    for (let row = 0; row < 2; row++) {
      const [, ...rest] = trajectory.velocities.map((velocity) => velocity.slice(3 * row, 3 * row + 3));
      rest.forEach((to, k) => {
        const from = trajectory.velocities[k]!.slice(3 * row, 3 * row + 3);
        const dot = from.reduce((sum, one, i) => sum + one * to[i]!, 0);
        expect(values[5 * row + k]).toBeCloseTo(1 - dot / (Math.hypot(...from) * Math.hypot(...to)), 12);
      });
    }
  });

  it('does not see speed, only direction', async () => {
    const field = elementwise((_x, t) => 1 + 5 * t ** 3);
    const trajectory = await followFlow({ field, x0: noise(6), batch: 2 }, SOLVERS.midpoint, uniformGrid(9));
    for (const value of intervalCurvature(trajectory).values) expect(value).toBeLessThan(1e-30);
  });

  it('keeps the digits of small angles in float32', async () => {
    const x0 = Float32Array.of(1, 0);
    const field = fieldOf<Float32Array>(([x, y]) => [-1e-3 * y!, 1e-3 * x!]);
    const { values } = intervalCurvature(await followFlow({ field, x0, batch: 1 }, SOLVERS.rk4, uniformGrid(1)));
    // 1 - cos in float32, or from a product near 1, would be 0 or a multiple of 6e-8.
    expect(values[0]! / (1 - Math.cos(1e-3))).toBeCloseTo(1, 3);
  });

  it('of the field between normals is all in the middle, where the flow turns back', async () => {
    const trajectory = await followFlow(betweenNormals(0.1).problem(noise(10), 5), SOLVERS.midpoint, uniformGrid(11));
    const curvature = intervalCurvature(trajectory);
    expect(meanByInterval(curvature).map(({ mean }) => Math.round(mean * 1e12) / 1e12)).toEqual(
      Array.from({ length: 11 }, (_, k) => (k === 5 ? 2 : 0)),
    );
    for (const angle of trajectoryCurvature(curvature).turning) expect(angle).toBeCloseTo(Math.PI, 6);
  });

  it('is refused where a velocity is 0', async () => {
    const trajectory = await followFlow(betweenNormals(0).problem(noise(4), 2), SOLVERS.midpoint, uniformGrid(10));
    expect(() => intervalCurvature(trajectory)).toThrow(NumericalError);
    expect(() => intervalCurvature(trajectory)).toThrow('got velocity 0 of sample 0 at time 0.5.');
  });
});

describe('a trajectory', () => {
  it('is the solution of the solver, with the velocities at its states', async () => {
    const { problem, slope } = { problem: betweenNormals(0.5).problem(noise(6), 3), slope: betweenNormals(0.5).slope };
    const grid = uniformGrid(6);
    const { x, trajectory } = await SOLVERS.heun.solve(problem, grid, { trajectory: true });
    const followed = await followFlow(problem, SOLVERS.heun, grid);
    expect(followed.states).toEqual(trajectory);
    expect(followed.states.at(-1)).toEqual(x);
    expect(followed.velocities).toEqual(followed.states.map((states, k) => states.map((y) => slope(y, grid[k]!))));
  });

  it('counts its evaluations, those at the times of the grid included', async () => {
    let calls = 0;
    const { field, ...rest } = drift([1, 2], noise(6));
    const counted: typeof field = (...given) => {
      calls++;
      return field(...given);
    };
    const { evaluations } = await followFlow({ ...rest, field: counted }, SOLVERS.midpoint, uniformGrid(10));
    expect([...evaluations]).toEqual([31, 31, 31]);
    expect(calls).toBe(31);
  });

  it('gives each sample the same bits, alone and in a batch', async () => {
    const noise32 = normalsFromSeeds(Uint32Array.of(1, 2, 3), 4);
    const { problem } = betweenNormals(0.2);
    const measure = async (x0: Float32Array, batch: number) =>
      intervalCurvature(await followFlow(problem(x0, batch), SOLVERS.midpoint, uniformGrid(5))).values;
    const all = await measure(noise32, 3);
    expect(await measure(noise32, 3)).toEqual(all);
    expect(await measure(noise32.slice(4, 8), 1)).toEqual(all.slice(5, 10));
  });

  it('is refused where the solver stops on the way', async () => {
    const few = dopri5({ relativeTolerance: 1e-12, absoluteTolerance: 1e-12, maxEvaluations: 8 });
    await expect(followFlow(rotation(9, noise(2), 1), few, uniformGrid(4))).rejects.toThrow(
      'Expected dopri5 to follow every sample to time 1',
    );
  });
});
