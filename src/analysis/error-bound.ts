/** Bounds of the distance between what a velocity network generates and what the exact field would. */
import { ShapeError } from '../errors.ts';

/** Parts of [0, 1] that the values at some times stand for. */
function checkedTimes(times: readonly number[], values: readonly number[]): void {
  const ascending = times.every((time, k) => time > (times[k - 1] ?? -1) && time >= 0 && time <= 1);
  if (ascending && times.length > 0 && values.length === times.length) return;
  throw new ShapeError({
    expected: 'ascending times in [0, 1], and a value for each',
    got: `times ${times.join(', ') || 'none'}, and ${values.length} values`,
    where: 'analysis/error-bound',
  });
}

/**
 * Shares of the integral over [0, 1] that belong to each time: their sum is the trapezoidal rule between the times, with the first value
 * carried on to 0 and the last to 1. At the middles of equal intervals that is the midpoint rule.
 * @throws ShapeError unless the times ascend in [0, 1] and each has a value.
 */
export function integralShares(times: readonly number[], values: readonly number[]): number[] {
  checkedTimes(times, values);
  const last = times.length - 1;
  return values.map((value, k) => {
    const from = k === 0 ? 0 : (times[k - 1]! + times[k]!) / 2;
    const to = k === last ? 1 : (times[k]! + times[k + 1]!) / 2;
    return value * (to - from);
  });
}

/** The integral of a function over [0, 1] from its values at some times, by `integralShares`. */
export function integralOverTime(times: readonly number[], values: readonly number[]): number {
  return integralShares(times, values).reduce((sum, one) => sum + one, 0);
}

/** The velocity error of a network over time. */
export interface VelocityErrors {
  /** Ascending, in [0, 1]. */
  readonly times: readonly number[];
  /** E|v(xt, t) - u*(xt, t)|^2, the squared Euclidean norm over all elements, at each time. */
  readonly squares: readonly number[];
}

/** The two factors of a bound, and their product. */
export interface WassersteinBound {
  /** exp(integral of L_t dt). */
  readonly growth: number;
  /** sqrt(integral of E|v - u*|^2 dt), in latent units. */
  readonly velocityError: number;
  /** growth times velocityError: W2 between the network's distribution and the exact field's is not above it, in latent units. */
  readonly bound: number;
  /** Part of the integral of E|v - u*|^2 that its last time stands for. */
  readonly lastShare: number;
}

/**
 * W2(learned, exact) <= exp(integral of L_t dt) sqrt(integral of E|v(xt, t) - u*(xt, t)|^2 dt).
 *
 * Source: [benton:23], theorem 1; [briq:26], eq. (5). It holds if L_t is the Lipschitz constant of v(., t), and xt has the distribution that the
 * exact field gives it at t. Points made of held-out data have another one: near time 1 the exact field at them grows like 1 / (1 - t),
 * so that the integral diverges, and its value depends on the last time (`lastShare`).
 * @param growth  exp(integral of L_t dt).
 */
export function wassersteinBound(growth: number, { times, squares }: VelocityErrors): WassersteinBound {
  const shares = integralShares(times, squares);
  const integral = shares.reduce((sum, one) => sum + one, 0);
  const velocityError = Math.sqrt(integral);
  return {
    growth,
    velocityError,
    bound: growth * velocityError,
    lastShare: integral === 0 ? 0 : shares.at(-1)! / integral,
  };
}

/**
 * Bounds of W2 between any two models by way of the exact distribution, the triangle inequality: entry [i][j] is bound i + bound j, and 0
 * on the diagonal. All bounds must be of the distance to the same exact field. Source: [briq:26], eq. (6).
 */
export function pairwiseBounds(bounds: readonly number[]): number[][] {
  return bounds.map((one, i) => bounds.map((other, j) => (i === j ? 0 : one + other)));
}
