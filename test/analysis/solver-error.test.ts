import { describe, expect, it } from 'vitest';
import { referenceSamples, solverError } from '../../src/analysis/solver-error.ts';
import { NumericalError } from '../../src/errors.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import type { InitialValueProblem } from '../../src/sampling/solvers/solver.ts';
import { SOLVERS } from '../../src/sampling/solvers/solver-table.ts';
import { uniformGrid } from '../../src/sampling/time-grid.ts';
import { elementwise, gaussianSlope } from '../sampling/solvers/test-problems.ts';
import { betweenNormals, drift, rotation } from './known-flows.ts';

const tight = { relativeTolerance: 1e-11, absoluteTolerance: 1e-11 };
const noise32 = normalsFromSeeds(Uint32Array.of(1, 2, 3), 4);
const noise: Float64Array = Float64Array.from(noise32);

describe('the solver error', () => {
  it('is 0 on straight lines, at one step', async () => {
    const problem = drift([1, -2, 0.5, 3], noise);
    const { rootMeanSquare, distance, evaluations } = await solverError(
      problem,
      { solver: SOLVERS.midpoint, grid: uniformGrid(1) },
      await referenceSamples(problem),
    );
    for (const error of [...rootMeanSquare, ...distance]) expect(error).toBeLessThan(1e-14);
    expect([...evaluations]).toEqual([2, 2, 2]);
  });

  it('is the distance from the known flow map', async () => {
    const [mean, deviation] = [2, 0.5];
    const problem = { field: elementwise(gaussianSlope(mean, deviation)), x0: noise, batch: 3 };
    const reference = await referenceSamples(problem, tight);
    const grid = uniformGrid(4);
    const { distance, rootMeanSquare, evaluations } = await solverError(
      problem,
      { solver: SOLVERS.midpoint, grid },
      reference,
    );
    const { x } = await SOLVERS.midpoint.solve(problem, grid);
    for (let row = 0; row < 3; row++) {
      const errors = Array.from(x.slice(4 * row, 4 * row + 4), (y, i) => y - (mean + deviation * noise[4 * row + i]!));
      expect(distance[row]).toBeCloseTo(Math.hypot(...errors), 8);
      expect(rootMeanSquare[row]).toBeCloseTo(Math.sqrt(errors.reduce((sum, e) => sum + e * e, 0) / 4), 8);
      expect(evaluations[row]).toBe(8);
    }
  });

  const driven = { field: elementwise<Float64Array>((y, t) => Math.sin(2 * y) + 3 * t), x0: noise, batch: 3 };
  it.each<[string, number, InitialValueProblem<Float64Array>]>([
    ['a rotation', 2, rotation(5, noise, 3)],
    ['a driven equation', 2, driven],
    // y' = s(t) y: the leading term is made of s(1)^2 - s(0)^2, s'(1) - s'(0) and the integral of s^3, and s is odd about 1/2.
    ['the flow between normals', 3, betweenNormals(0.1).problem(noise, 3)],
  ])('of the midpoint rule falls on %s with order %d', async (_what, order, problem) => {
    const reference = await referenceSamples(problem, tight);
    const errors: Float64Array[] = [];
    for (const steps of [64, 128, 256]) {
      const setup = { solver: SOLVERS.midpoint, grid: uniformGrid(steps) };
      errors.push((await solverError(problem, setup, reference)).rootMeanSquare);
    }
    for (const [k, error] of errors.slice(1).entries()) {
      const measured = Array.from(error, (value, row) => Math.log2(errors[k]![row]! / value));
      for (const one of measured) expect(Math.abs(one - order), `order ${one}`).toBeLessThan(0.15);
    }
  });

  it('gives the same bits again, and each sample those that it has alone', async () => {
    const { problem } = betweenNormals(0.2);
    const setup = { solver: SOLVERS.midpoint, grid: uniformGrid(3) };
    const measure = async (x0: Float32Array, batch: number) =>
      solverError(problem(x0, batch), setup, await referenceSamples(problem(x0, batch)));
    const all = await measure(noise32, 3);
    expect(await measure(noise32, 3)).toEqual(all);
    expect((await measure(noise32.slice(4, 8), 1)).distance).toEqual(all.distance.slice(1, 2));
  });
});

describe('the reference', () => {
  it('keeps its tolerance on a known flow, and counts its evaluations', async () => {
    const { problem } = betweenNormals(0.1);
    const { x, evaluations } = await referenceSamples(problem(noise, 3));
    // The flow map is the identity.
    x.forEach((value, i) => {
      expect(Math.abs(value - noise[i]!)).toBeLessThan(1e-4);
    });
    for (const count of evaluations) expect(count % 6).toBe(2);
  });

  it('that stops on the way is an error', async () => {
    const stopped = referenceSamples(rotation(9, noise, 3), { ...tight, maxEvaluations: 20 });
    await expect(stopped).rejects.toThrow(NumericalError);
    await expect(stopped).rejects.toThrow(
      'Expected a reference that reaches time 1; got one whose sample 0 stopped at',
    );
  });
});
