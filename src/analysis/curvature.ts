/**
 * Curvature of a flow's trajectories: how far the direction of the velocity turns from one time of a grid to the next.
 * It depends on the distance dt of those times, so compare at equal dt only: on smooth trajectories it falls like dt^2, its sum
 * over a trajectory like dt; a network that is rough in time (fast features of time, little training) keeps turning at any dt.
 */
import { NumericalError } from '../errors.ts';
import { type Estimate, estimateMean } from '../numerics/estimate.ts';
import type { FloatArray } from '../sampling/solvers/solver.ts';
import { type FlowTrajectory, normOver } from './flow-trajectory.ts';

/** Curvature of samples in the intervals between the times of a grid. */
export interface IntervalCurvature {
  /** 1 - cos of the angle between the velocities at the ends of each interval, in [0, 2]. Float64 [samples, intervals]. */
  readonly values: Float64Array;
  readonly intervals: number;
}

/**
 * 1 - u(x(t), t)·u(x(t + dt), t + dt) for each sample and interval, where u = v/|v| is the direction of the velocity. It is
 * computed as |u(t) - u(t + dt)|^2 / 2, which is the same and keeps its digits where the angle is small.
 *
 * Source: [davtyan:25], section 4.1 (figure 6). Fails when: a velocity is 0, which has no direction.
 * @throws NumericalError if a velocity is 0.
 */
export function intervalCurvature<A extends FloatArray>(trajectory: FlowTrajectory<A>): IntervalCurvature {
  const { batch, velocities, times } = trajectory;
  const elements = velocities[0]!.length / batch;
  const intervals = times.length - 1;
  const values = new Float64Array(batch * intervals);
  for (let row = 0; row < batch; row++) {
    const span = [row * elements, (row + 1) * elements] as const;
    const speeds = velocities.map((velocity) => normOver(span, (i) => velocity[i]!));
    for (const [i, speed] of speeds.entries()) if (!(speed > 0)) throw standstill(row, times[i]!);
    for (let k = 0; k < intervals; k++) {
      const [from, to] = [velocities[k]!, velocities[k + 1]!];
      const chord = normOver(span, (i) => from[i]! / speeds[k]! - to[i]! / speeds[k + 1]!);
      values[row * intervals + k] = chord ** 2 / 2;
    }
  }
  return { values, intervals };
}

function standstill(row: number, time: number): NumericalError {
  return new NumericalError({
    expected: 'velocities with a direction',
    got: `velocity 0 of sample ${row} at time ${time}`,
    where: 'analysis/curvature',
    remedy: 'another number of intervals',
  });
}

/** Mean and standard error over the samples in each interval: what figure 6 of [davtyan:25] shows. */
export function meanByInterval({ values, intervals }: IntervalCurvature): Estimate[] {
  const samples = values.length / intervals;
  return Array.from({ length: intervals }, (_, k) =>
    estimateMean(Float64Array.from({ length: samples }, (_, row) => values[row * intervals + k]!)),
  );
}

/** Numbers of whole trajectories, float64 [samples] each. */
export interface TrajectoryCurvature {
  /** Mean of the curvature over the intervals; like dt^2. */
  readonly mean: Float64Array;
  /** Sum of the curvature over the intervals; like dt. */
  readonly sum: Float64Array;
  /** Sum of the angles by which the velocity turns, in radians. Where the field is smooth it tends to a limit as dt falls. */
  readonly turning: Float64Array;
}

/** What the curvature of the intervals comes to over each trajectory. */
export function trajectoryCurvature({ values, intervals }: IntervalCurvature): TrajectoryCurvature {
  const samples = values.length / intervals;
  const summed = (value: (curvature: number) => number) =>
    Float64Array.from({ length: samples }, (_, row) =>
      values.subarray(row * intervals, (row + 1) * intervals).reduce((sum, one) => sum + value(one), 0),
    );
  const sum = summed((curvature) => curvature);
  // |u - u'| = 2 sin(angle/2); rounding may bring the sine above 1.
  const angle = (curvature: number) => 2 * Math.asin(Math.min(1, Math.sqrt(curvature / 2)));
  return { sum, mean: sum.map((one) => one / intervals), turning: summed(angle) };
}
