import { describe, expect, it } from 'vitest';
import { hybridSamples } from '../../src/analysis/hybrid-sampling.ts';
import { hostClosedForm } from '../../src/closed-form/host-closed-form.ts';
import { roundedField } from '../../src/experiments/exact-field.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { exactVelocity } from '../../src/sampling/closed-form-flow.ts';
import type { VelocityField } from '../../src/sampling/solvers/solver.ts';
import { SOLVERS } from '../../src/sampling/solvers/solver-table.ts';
import { uniformGrid } from '../../src/sampling/time-grid.ts';
import { dataRows } from '../closed-form/data-rows.ts';

const [batch, elements] = [8, 3];
const data = normalsFromSeeds(Uint32Array.of(1), 5 * elements).map((value) => 3 * value);
const exact = exactVelocity(roundedField(hostClosedForm(dataRows(data, elements))));
const x0 = normalsFromSeeds(Uint32Array.of(2), batch * elements);
/** Another field, with a known solution: x(t) = (x(tau) - 1) e^(t - tau) + 1. */
const network: VelocityField<Float32Array> = async (x) => x.map((value) => value - 1);
const grid = uniformGrid(20);
const problem = { field: network, exact, x0, batch };

describe('hybridSamples', () => {
  it.each(['euler', 'midpoint', 'heun', 'rk4'] as const)(
    "with tau = 0 are the network's samples bit by bit, whatever the other switches, by %s",
    async (name) => {
      const solver = SOLVERS[name];
      const plain = await solver.solve({ field: network, x0, batch }, grid);
      expect((await hybridSamples(problem, { switches: [0], solver, grid }))[0]).toEqual(plain.x);
      expect((await hybridSamples(problem, { switches: [0, 0.3, 1], solver, grid }))[0]).toEqual(plain.x);
    },
  );

  it.each(['euler', 'midpoint', 'heun', 'rk4'] as const)('with tau = 1 are data, by %s', async (name) => {
    const [samples] = await hybridSamples(problem, { switches: [1], solver: SOLVERS[name], grid: uniformGrid(100) });
    for (let row = 0; row < batch; row++) {
      const sample = samples!.subarray(row * elements, (row + 1) * elements);
      const distances = Array.from({ length: 5 }, (_, i) =>
        Math.hypot(...sample.map((value, k) => value - data[i * elements + k]!)),
      );
      expect(Math.min(...distances)).toBeLessThan(1e-5);
    }
  });

  it('follow the exact field up to the switch and the network from there on', async () => {
    const solver = SOLVERS.rk4;
    const [samples] = await hybridSamples(problem, { switches: [0.4], solver, grid });
    const before = await solver.solve(
      { field: exact, x0, batch },
      Float64Array.from({ length: 9 }, (_, i) => i / 20),
    );
    for (const [i, value] of samples!.entries()) {
      expect(value).toBeCloseTo((before.x[i]! - 1) * Math.exp(0.6) + 1, 4);
    }
  });

  it('take switches between the times of the grid, and asks neither field on the wrong side', async () => {
    const asked: number[][] = [[], []];
    const noting =
      (field: VelocityField<Float32Array>, list: number[]): VelocityField<Float32Array> =>
      (x, time, active) => {
        list.push(time[0]!);
        return field(x, time, active);
      };
    const noted = { x0, batch, field: noting(network, asked[0]!), exact: noting(exact, asked[1]!) };
    await hybridSamples(noted, { switches: [0.33], solver: SOLVERS.heun, grid });
    expect(Math.min(...asked[0]!)).toBe(0.33);
    expect(Math.max(...asked[1]!)).toBe(0.33);
  });

  it('refuse switches out of order or outside [0, 1]', async () => {
    for (const switches of [[], [0.5, 0.2], [-0.1], [0.5, 1.2], [0.3, 0.3]]) {
      await expect(hybridSamples(problem, { switches, solver: SOLVERS.euler, grid })).rejects.toThrow(
        'ascending in [0, 1]',
      );
    }
  });
});
