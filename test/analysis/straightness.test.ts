import { describe, expect, it } from 'vitest';
import { followFlow } from '../../src/analysis/flow-trajectory.ts';
import { relativeStraightness, straightness } from '../../src/analysis/straightness.ts';
import { NumericalError } from '../../src/errors.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { SOLVERS } from '../../src/sampling/solvers/solver-table.ts';
import { uniformGrid } from '../../src/sampling/time-grid.ts';
import { elementwise } from '../sampling/solvers/test-problems.ts';
import { betweenNormals, drift, integral, rotation } from './known-flows.ts';

const noise = (count: number) => Float64Array.from(normalsFromSeeds(Uint32Array.of(1), count));

describe('straightness', () => {
  it('is 0 along straight lines at constant speed', async () => {
    const trajectory = await followFlow(drift([1, -2, 0.5], noise(12)), SOLVERS.midpoint, uniformGrid(7));
    for (const value of straightness(trajectory)) expect(value).toBeLessThan(1e-14);
    for (const value of relativeStraightness(trajectory)) expect(value).toBeLessThan(1e-14);
  });

  it.each([0.5, 3, 8])('of a rotation by %d rad is the integral of |omega J x - (x1 - x0)|', async (omega) => {
    const x0 = noise(8);
    // On the unit circle; a sample's norm scales it. |x1 - x0| = 2 sin(omega/2).
    const [endX, endY] = [Math.cos(omega) - 1, Math.sin(omega)];
    const known = integral((t) => Math.hypot(-omega * Math.sin(omega * t) - endX, omega * Math.cos(omega * t) - endY));
    const trajectory = await followFlow(rotation(omega, x0, 2), SOLVERS.rk4, uniformGrid(400));
    const [values, relative] = [straightness(trajectory), relativeStraightness(trajectory)];
    for (let row = 0; row < 2; row++) {
      const radius = Math.hypot(...x0.slice(4 * row, 4 * row + 4));
      expect(values[row]! / radius / known).toBeCloseTo(1, 4);
      expect((relative[row]! * Math.abs(2 * Math.sin(omega / 2))) / known).toBeCloseTo(1, 4);
    }
  });

  it('sees changes of speed on a straight way, unlike curvature', async () => {
    // v = 2t: |2t - 1| integrates to 1/2, and so it does relative to a way of length 1.
    const trajectory = await followFlow(
      { field: elementwise((_x, t) => 2 * t), x0: noise(3), batch: 3 },
      SOLVERS.midpoint,
      uniformGrid(10),
    );
    for (const value of straightness(trajectory)) expect(value).toBeCloseTo(0.5, 12);
    for (const value of relativeStraightness(trajectory)) expect(value).toBeCloseTo(0.5, 12);
  });

  it('of the field between normals is the way to the middle and back', async () => {
    const sigma = 0.3;
    const { problem, factor } = betweenNormals(sigma);
    const x0 = noise(6);
    const trajectory = await followFlow(problem(x0, 3), SOLVERS.rk4, uniformGrid(400));
    straightness(trajectory).forEach((value, row) => {
      const radius = Math.hypot(...x0.slice(2 * row, 2 * row + 2));
      expect(value / (2 * radius * (1 - factor(0.5)))).toBeCloseTo(1, 4);
    });
  });

  it('approaches its value with order 2, on even and uneven grids', async () => {
    const known = integral((t) => Math.abs(Math.exp(t) - (Math.E - 1)));
    const error = async (grid: Float64Array) => {
      const problem = { field: elementwise((x) => x), x0: Float64Array.of(1), batch: 1 };
      return Math.abs(straightness(await followFlow(problem, SOLVERS.rk4, grid))[0]! - known);
    };
    for (const shape of [(t: number) => t, (t: number) => t * t * (3 - 2 * t)]) {
      expect(await error(uniformGrid(20).map(shape))).toBeLessThan(6e-3);
      expect(await error(uniformGrid(200).map(shape))).toBeLessThan(6e-5);
    }
  });

  it('relative to the way is refused where there is none', async () => {
    const trajectory = await followFlow(drift([0, 0], noise(4)), SOLVERS.euler, uniformGrid(3));
    expect(() => relativeStraightness(trajectory)).toThrow(NumericalError);
    expect([...straightness(trajectory)]).toEqual([0, 0]);
  });
});
