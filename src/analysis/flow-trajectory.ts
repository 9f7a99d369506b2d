import { NumericalError } from '../errors.ts';
import {
  countedField,
  emptyLike,
  type FloatArray,
  type InitialValueProblem,
  type Solver,
} from '../sampling/solvers/solver.ts';

/** States of a batch along a flow, with the field's velocities at them. */
export interface FlowTrajectory<A extends FloatArray> {
  readonly batch: number;
  /** Float64 [times], increasing. */
  readonly times: Float64Array;
  /** States at each time, [batch, elements]. */
  readonly states: readonly A[];
  /** Velocities v(x(t), t) at those states and times, [batch, elements]. */
  readonly velocities: readonly A[];
  /** Evaluations of the field for each sample, int32 [batch]: the solver's own, and one more at each time. */
  readonly evaluations: Int32Array;
}

/**
 * Follows a field through the times of a grid. The velocities at those times are evaluated anew, after the solution.
 * @throws NumericalError if the solver does not reach the grid's end; otherwise as `Solver.solve`.
 */
export async function followFlow<A extends FloatArray>(
  problem: InitialValueProblem<A>,
  solver: Solver,
  grid: Float64Array,
): Promise<FlowTrajectory<A>> {
  const solution = await solver.solve(problem, grid, { trajectory: true });
  if (!solution.converged || solution.trajectory === null) {
    throw new NumericalError({
      expected: `${solver.name} to follow every sample to time ${grid.at(-1)}`,
      got: `one that stopped at ${Math.min(...solution.time)}`,
      where: 'analysis/flow-trajectory',
      remedy: 'more evaluations, or a solver with fixed steps',
    });
  }
  const field = countedField(problem, new Uint8Array(problem.batch).fill(1));
  const velocities: A[] = [];
  for (const [i, states] of solution.trajectory.entries()) {
    const velocity = emptyLike(states);
    await field.evaluate(states, new Float64Array(problem.batch).fill(grid[i]!), velocity);
    velocities.push(velocity);
  }
  return {
    batch: problem.batch,
    times: grid,
    states: solution.trajectory,
    velocities,
    evaluations: solution.evaluations.map((count, row) => count + field.evaluations[row]!),
  };
}

/** Euclidean norm of `value(i)` over i in [begin, end), float64. */
export function normOver([begin, end]: readonly [number, number], value: (i: number) => number): number {
  let squares = 0;
  for (let i = begin; i < end; i++) squares += value(i) ** 2;
  return Math.sqrt(squares);
}
