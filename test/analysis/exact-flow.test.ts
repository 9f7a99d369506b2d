import { describe, expect, it } from 'vitest';
import { followExactFlow, pathDeviation, writeState } from '../../src/analysis/exact-flow.ts';
import type { ClosedFormField } from '../../src/closed-form/closed-form-field.ts';
import { hostClosedForm } from '../../src/closed-form/host-closed-form.ts';
import { euler } from '../../src/sampling/solvers/euler.ts';
import { SOLVERS } from '../../src/sampling/solvers/solver-table.ts';
import { uniformGrid } from '../../src/sampling/time-grid.ts';
import { dataRows } from '../closed-form/data-rows.ts';
import { goldenPoints, pruningGolden } from './pruning-golden.ts';

const fieldOf = (data: Float64Array, elements: number) => hostClosedForm(dataRows(Float32Array.from(data), elements));

/** Evaluations of a field, row by row, that pass through to it. */
function countedRows(field: ClosedFormField<Float64Array>) {
  let rows = 0;
  const counted: ClosedFormField<Float64Array> = {
    ...field,
    evaluate(x, time) {
      rows += time.length;
      return field.evaluate(x, time);
    },
  };
  return { counted, rows: () => rows };
}

describe.each(pruningGolden.flows)(
  'the flow of $data data in $dimensions dimensions, and on a part of them',
  (golden) => {
    const { data, noises, dimensions, steps, every } = golden;
    const field = fieldOf(goldenPoints(1, data, dimensions), dimensions);
    const x0 = goldenPoints(2, noises, dimensions);
    const options = { solver: euler, times: uniformGrid(steps) };
    const kept = Uint32Array.from({ length: Math.ceil(data / every) }, (_, i) => i * every);
    const followed = async () => ({
      full: await followExactFlow(field, x0, options),
      pruned: await followExactFlow(field.restrictedTo(kept), x0, options),
    });

    it('assigns the noises as NumPy does', async () => {
      const { full, pruned } = await followed();
      expect([...full.nearest]).toEqual(golden.assigned);
      expect([...pruned.nearest]).toEqual(golden.assignedPruned);
    });

    it('deviates as there', async () => {
      const { full, pruned } = await followed();
      for (const [row, expected] of golden.deviation.entries()) {
        // A row that went straight early has forgone weights below 6e-8.
        expect(pathDeviation({ flow: full, row }, { flow: pruned, row })).toBeCloseTo(expected, 6);
      }
      for (const [pair, expected] of golden.seedDeviation.entries()) {
        expect(pathDeviation({ flow: full, row: 2 * pair }, { flow: full, row: 2 * pair + 1 })).toBeCloseTo(
          expected,
          6,
        );
      }
    });
  },
);

describe('the exact flow', () => {
  const elements = 12;
  const data = goldenPoints(1, 30, elements);
  const x0 = goldenPoints(2, 10, elements);

  it.each(['euler', 'midpoint', 'heun', 'rk4', 'rk4-38'] as const)(
    'goes where %s would without stopping to evaluate',
    async (name) => {
      const { counted, rows } = countedRows(fieldOf(data, elements));
      const times = uniformGrid(20);
      const flow = await followExactFlow(counted, x0, { solver: SOLVERS[name], times });
      expect(rows()).toBe(flow.evaluations.reduce((sum, one) => sum + one, 0));
      expect(rows()).toBeLessThan(10 * 19 * SOLVERS[name].evaluationsPerStep!);
      const plain = fieldOf(data, elements);
      const { trajectory } = await SOLVERS[name].solve(
        { field: async (x, time) => (await plain.evaluate(x, time)).velocity, x0, batch: 10 },
        times.slice(0, -1),
        { trajectory: true },
      );
      const state = new Float64Array(elements);
      for (const [step, states] of trajectory!.entries()) {
        for (let row = 0; row < 10; row++) {
          writeState(flow, { row, step }, state);
          for (let k = 0; k < elements; k++) expect(state[k]).toBeCloseTo(states[row * elements + k]!, 5);
        }
      }
    },
  );

  it('ends at the assigned datum where it has all of the weight', async () => {
    const flow = await followExactFlow(fieldOf(data, elements), x0, { solver: euler, times: uniformGrid(50) });
    const state = new Float64Array(elements);
    for (let row = 0; row < 10; row++) {
      expect(flow.largestWeight[row]).toBeGreaterThan(1 - 1e-6);
      writeState(flow, { row, step: 50 }, state);
      const datum = flow.nearest[row]!;
      for (let k = 0; k < elements; k++) expect(state[k]).toBeCloseTo(data[datum * elements + k]!, 5);
    }
  });

  it('of one datum is a straight line that takes one evaluation', async () => {
    const flow = await followExactFlow(fieldOf(Float64Array.of(2, -1), 2), Float64Array.of(0, 1), {
      solver: euler,
      times: uniformGrid(4),
    });
    expect([...flow.evaluations]).toEqual([1]);
    const state = new Float64Array(2);
    for (let step = 0; step <= 4; step++) {
      writeState(flow, { row: 0, step }, state);
      expect([...state]).toEqual([step / 2, 1 - step / 2]);
    }
  });

  it('of two data splits space by the plane between them through the origin, wherever their middle is', async () => {
    const [a, middle] = [
      // No noise, all of them multiples of 1/256, lies on the plane.
      [1, 0.515625, -0.265625],
      [3, -2, 1],
    ];
    const pair = Float64Array.from([...a.map((v, k) => middle[k]! + v), ...a.map((v, k) => middle[k]! - v)]);
    const noises = goldenPoints(4, 100, 3);
    const { nearest } = await followExactFlow(fieldOf(pair, 3), noises, { solver: euler, times: uniformGrid(40) });
    for (let row = 0; row < 100; row++) {
      const side = a.reduce((sum, v, k) => sum + v * noises[3 * row + k]!, 0);
      expect(nearest[row]).toBe(side > 0 ? 0 : 1);
    }
  });

  it('of two data follows the equation on the line through them', async () => {
    // y' = (a tanh(a t y/(1 - t)^2) - y)/(1 - t), by Euler's method written out.
    const [a, steps] = [0.75, 30];
    const flow = await followExactFlow(fieldOf(Float64Array.of(a, -a), 1), Float64Array.of(0.3), {
      solver: euler,
      times: uniformGrid(steps),
    });
    const state = new Float64Array(1);
    let y = 0.3;
    for (let step = 0; step <= steps; step++) {
      writeState(flow, { row: 0, step }, state);
      expect(state[0]).toBeCloseTo(y, 6);
      const t = step / steps;
      y += (a * Math.tanh((a * t * y) / (1 - t) ** 2) - y) / (1 - t) / steps;
    }
  });

  it('measures the distance of straight lines exactly where it does not change its sign', async () => {
    // One datum each: x(t) - y(t) = (1 - t)(x0 - y0) + t (x1 - y1), parallel here.
    const times = uniformGrid(8);
    const one = await followExactFlow(fieldOf(Float64Array.of(6, 8), 2), Float64Array.of(3, 4), {
      solver: euler,
      times,
    });
    const origin = await followExactFlow(fieldOf(Float64Array.of(0, 0), 2), Float64Array.of(0, 0), {
      solver: euler,
      times,
    });
    expect(pathDeviation({ flow: one, row: 0 }, { flow: origin, row: 0 })).toBeCloseTo(7.5, 12);
    expect(pathDeviation({ flow: one, row: 0 }, { flow: one, row: 0 })).toBe(0);
  });

  it.each([
    [{ solver: SOLVERS.dopri5 }, 'Expected a solver with fixed steps; got dopri5.'],
    [{ times: Float64Array.of(0, 0.5) }, 'Expected times from 0 to 1; got 0 to 0.5.'],
    [{ times: Float64Array.of(0, 1, 0.5) }, 'strictly increasing'],
  ])('refuses what it cannot follow', async (change, message) => {
    const options = { solver: euler, times: uniformGrid(4), ...change };
    await expect(followExactFlow(fieldOf(data, elements), x0, options)).rejects.toThrow(message);
  });

  it('refuses noises of another size, and flows over other times', async () => {
    const field = fieldOf(data, elements);
    await expect(
      followExactFlow(field, new Float64Array(13), { solver: euler, times: uniformGrid(4) }),
    ).rejects.toThrow('Expected `x0` to be [batch, 12]; got 13 numbers.');
    const [four, five] = [
      await followExactFlow(field, x0, { solver: euler, times: uniformGrid(4) }),
      await followExactFlow(field, x0, { solver: euler, times: uniformGrid(5) }),
    ];
    expect(() => pathDeviation({ flow: four, row: 0 }, { flow: five, row: 0 })).toThrow('at 5 times; got');
  });

  it('ends between two steps when it is aborted', async () => {
    const abort = new AbortController();
    const field = fieldOf(data, elements);
    const stopping: ClosedFormField<Float64Array> = {
      ...field,
      evaluate(x, time) {
        abort.abort();
        return field.evaluate(x, time);
      },
    };
    const options = { solver: euler, times: uniformGrid(4), signal: abort.signal };
    await expect(followExactFlow(stopping, x0, options)).rejects.toMatchObject({ name: 'AbortError' });
  });
});
