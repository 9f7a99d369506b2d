/** Initial value problems with known solutions, and how the tests of solvers run them. */

import { readFileSync } from 'node:fs';
import type { FloatArray, InitialValueProblem, VelocityField } from '../../../src/sampling/solvers/solver.ts';

/** Golden cases of ordinary differential equations, as the golden file lays them out. */
export interface OdeGoldens {
  readonly gaussian_field: {
    readonly cases: readonly {
      readonly m: number;
      readonly s: number;
      readonly t: number;
      readonly x: number;
      readonly v: number;
    }[];
    readonly x0: number;
    readonly x1: number;
  };
  readonly ode_fixed: {
    readonly x0: number;
    readonly reference: number;
    readonly cases: readonly {
      readonly method: string;
      readonly steps: number;
      readonly nfe: number;
      readonly x1: number;
    }[];
  };
  readonly ode_dopri5_torchdiffeq_controller: {
    readonly cases: readonly {
      readonly rhs: string;
      readonly y0: readonly number[];
      readonly tol: number;
      readonly y1: readonly number[];
      readonly nfe: number;
      readonly accepted: number;
      readonly rejected: number;
      readonly largest_t_evaluated: number;
    }[];
  };
}

export const goldens = JSON.parse(
  readFileSync(new URL('../../../assets/golden/goldens.json', import.meta.url), 'utf8'),
) as OdeGoldens; // the golden file's own layout

/** A field given element by element: v_i = slope(x row, t)[i]. */
export function fieldOf<A extends FloatArray>(slope: (x: A, time: number) => ArrayLike<number>): VelocityField<A> {
  return async (x, time) => {
    const velocity = x.slice() as A; // a slice of a float array has its type
    const elements = x.length / time.length;
    for (let row = 0; row < time.length; row++) {
      const part = x.subarray(row * elements, (row + 1) * elements) as A; // likewise
      velocity.set(slope(part, time[row]!), row * elements);
    }
    return velocity;
  };
}

/** A field of one equation for every element: v_i = slope(x_i, t). */
export function elementwise<A extends FloatArray = Float64Array>(
  slope: (x: number, time: number) => number,
): VelocityField<A> {
  return fieldOf((x, time) => Array.from(x, (value) => slope(value, time)));
}

/** The exact velocity between N(0, 1) and N(m, s^2) on the linear path; its flow takes x0 to m + s x0. */
export function gaussianSlope(m: number, s: number): (x: number, t: number) => number {
  return (x, t) => m + ((t * s * s - (1 - t)) / ((1 - t) ** 2 + t * t * s * s)) * (x - t * m);
}

/** The times at which a problem's field was evaluated for active rows, per row, beside the problem that records them. */
export function recorded<A extends FloatArray>(
  problem: InitialValueProblem<A>,
): { readonly problem: InitialValueProblem<A>; readonly times: readonly number[][] } {
  const times = Array.from({ length: problem.batch }, (): number[] => []);
  const field: VelocityField<A> = (x, time, active) => {
    for (let row = 0; row < problem.batch; row++) if (active[row] === 1) times[row]!.push(time[row]!);
    return problem.field(x, time, active);
  };
  return { problem: { ...problem, field }, times };
}
