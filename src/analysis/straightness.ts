/** Straightness of a flow's trajectories: how far the velocity is from that of the straight line between their ends. */
import { NumericalError } from '../errors.ts';
import type { FloatArray } from '../sampling/solvers/solver.ts';
import { type FlowTrajectory, normOver } from './flow-trajectory.ts';

/** Rows of a batch of states: where each begins and ends. */
function rowsOf<A extends FloatArray>({ batch, states }: FlowTrajectory<A>): (readonly [number, number])[] {
  const elements = states[0]!.length / batch;
  return Array.from({ length: batch }, (_, row) => [row * elements, (row + 1) * elements] as const);
}

/**
 * The integral of |dx/dt - (x1 - x0)| over time from 0 to 1 for each sample, in latent units: 0 on a straight line at constant
 * speed, more with every detour and every change of speed. The norm is Euclidean; the integral is taken by the trapezoidal
 * rule over the trajectory's times, with the field's velocity for dx/dt and the solver's end for x1.
 *
 * Source: [matityahu:24], table 1.
 * @returns float64 [batch].
 */
export function straightness<A extends FloatArray>(trajectory: FlowTrajectory<A>): Float64Array {
  const { times, states, velocities } = trajectory;
  const [start, end] = [states[0]!, states.at(-1)!];
  const integral = (span: readonly [number, number]) => {
    const deviation = velocities.map((velocity) => normOver(span, (i) => velocity[i]! - (end[i]! - start[i]!)));
    let sum = 0;
    for (let k = 1; k < times.length; k++) {
      sum += ((times[k]! - times[k - 1]!) * (deviation[k - 1]! + deviation[k]!)) / 2;
    }
    return sum;
  };
  return Float64Array.from(rowsOf(trajectory), integral);
}

/**
 * `straightness` over |x1 - x0|: the deviation as a share of the way, without unit, so that flows in spaces of different
 * dimension or scale compare.
 * @returns float64 [batch].
 * @throws NumericalError if a sample ends where it began.
 */
export function relativeStraightness<A extends FloatArray>(trajectory: FlowTrajectory<A>): Float64Array {
  const [start, end] = [trajectory.states[0]!, trajectory.states.at(-1)!];
  const distances = rowsOf(trajectory).map((span) => normOver(span, (i) => end[i]! - start[i]!));
  const still = distances.indexOf(0);
  if (still === -1) return straightness(trajectory).map((value, row) => value / distances[row]!);
  throw new NumericalError({
    expected: 'samples that end elsewhere than they began, to compare their detours with that distance',
    got: `distance 0 of sample ${still}`,
    where: 'analysis/straightness',
  });
}
