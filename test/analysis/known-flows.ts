/** Flows whose trajectories are known. */
import type { FloatArray, InitialValueProblem } from '../../src/sampling/solvers/solver.ts';
import { elementwise, fieldOf } from '../sampling/solvers/test-problems.ts';

/** dx/dt = omega J x, J the rotation by a right angle in each pair of elements: x(t) turns by omega t. */
export function rotation(omega: number, x0: Float64Array, batch: number): InitialValueProblem<Float64Array> {
  const field = fieldOf<Float64Array>((x) => Array.from(x, (_, i) => omega * (i % 2 === 0 ? -x[i + 1]! : x[i - 1]!)));
  return { field, x0, batch };
}

/**
 * The optimal field between two standard normals at independent coupling, v(y, t) = y (2t - 1)/(sigma^2 + t^2 + (1 - t)^2)
 * ([davtyan:25], eq. 4). Half the logarithmic derivative of the denominator D: y(t) = y(0) sqrt(D(t)/D(0)), and y(1) = y(0).
 */
export function betweenNormals(sigma: number) {
  const spread = (t: number) => sigma ** 2 + t ** 2 + (1 - t) ** 2;
  return {
    slope: (y: number, t: number) => (y * (2 * t - 1)) / spread(t),
    /** y(t)/y(0). */
    factor: (t: number) => Math.sqrt(spread(t) / spread(0)),
    problem<A extends FloatArray>(x0: A, batch: number): InitialValueProblem<A> {
      return { field: elementwise<A>((y, t) => (y * (2 * t - 1)) / spread(t)), x0, batch };
    },
  };
}

/** A field that is the same everywhere: straight lines at constant speed. */
export function drift<A extends FloatArray>(velocity: readonly number[], x0: A): InitialValueProblem<A> {
  return { field: fieldOf<A>(() => velocity), x0, batch: x0.length / velocity.length };
}

/** Integral of a function over [0, 1] by Simpson's rule on 4,000 parts. */
export function integral(value: (t: number) => number): number {
  const parts = 4_000;
  let sum = value(0) + value(1);
  for (let i = 1; i < parts; i++) sum += (i % 2 === 1 ? 4 : 2) * value(i / parts);
  return sum / (3 * parts);
}
