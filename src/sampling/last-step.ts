/** The end of flows whose velocity is unbounded at time 1: a solver up to a little before, and one step of Euler's from there. */
import { ConfigError } from '../errors.ts';
import {
  countedField,
  emptyLike,
  type FloatArray,
  type InitialValueProblem,
  type Solution,
  type Solver,
} from './solvers/solver.ts';

const where = 'sampling/last-step';

/** Length of the last step where nothing else is asked for. */
export const usualLastStep = 1e-3;

/**
 * One step of Euler's method from `time` to 1: x + (1 - t) v(x, t). By the exact field of data it ends on their mean by the weights of
 * that time, which near 1 is one datum.
 * @param problem  `x0` are the states at `time`.
 * @param time     float64 [batch].
 * @param active   uint8 [batch]; rows with 0 stay where they are and are not counted.
 * @returns the states at time 1, [batch, elements].
 * @throws as `Solver.solve`.
 */
export async function stepToEnd<A extends FloatArray>(
  problem: InitialValueProblem<A>,
  time: Float64Array,
  active: Uint8Array = new Uint8Array(problem.batch).fill(1),
): Promise<A> {
  const { x0, batch } = problem;
  const velocity = emptyLike(x0);
  await countedField(problem, active).evaluate(x0, time, velocity);
  const end = emptyLike(x0);
  const elements = x0.length / batch;
  for (let i = 0; i < end.length; i++) {
    const row = Math.floor(i / elements);
    end[i] = active[row] === 0 ? x0[i]! : x0[i]! + (1 - time[row]!) * velocity[i]!;
  }
  return end;
}

/**
 * A solver that goes the way of another one up to time 1 - `lastStep` and makes one step of Euler's method from there to 1, which counts
 * as one more evaluation and step. Grids from 0 to 1 are scaled to [0, 1 - `lastStep`]; the trajectory has the states at the scaled times
 * but for the last, which is that at 1. Samples that the other solver leaves earlier stay there.
 *
 * Fails when: a solver evaluates at the end of its steps (heun, rk4), and the one before the last step is much longer than that: its last
 * slope has an error of the mean's over `lastStep`. Grids with short steps near 1 help.
 * @param lastStep  in (0, 1).
 * @throws ConfigError if `lastStep` is outside (0, 1), or, when it solves, a grid does not go from 0 to 1.
 */
export function withLastStep(solver: Solver, lastStep: number): Solver {
  if (!(lastStep > 0 && lastStep < 1)) {
    throw new ConfigError({ expected: 'a last step in (0, 1)', got: String(lastStep), where });
  }
  return {
    ...solver,
    // The last step is another method's.
    tableau: null,
    async solve(problem, grid, options) {
      if (grid[0] !== 0 || grid.at(-1) !== 1) {
        throw new ConfigError({ expected: 'times from 0 to 1', got: `${grid[0]} to ${grid.at(-1)}`, where });
      }
      const scaled = grid.map((time) => time * (1 - lastStep));
      return finished(problem, await solver.solve(problem, scaled, options), 1 - lastStep);
    },
  };
}

/** A solution up to time `end`, with the last step for the samples that got there. */
async function finished<A extends FloatArray>(
  { field, batch }: InitialValueProblem<A>,
  solution: Solution<A>,
  end: number,
): Promise<Solution<A>> {
  const active = Uint8Array.from(solution.time, (time) => (time === end ? 1 : 0));
  const more = (counts: Int32Array) => counts.map((count, row) => count + active[row]!);
  const x = await stepToEnd({ field, x0: solution.x, batch }, solution.time, active);
  return {
    ...solution,
    x,
    time: solution.time.map((time, row) => (active[row] === 1 ? 1 : time)),
    evaluations: more(solution.evaluations),
    modelCalls: solution.modelCalls + 1,
    accepted: more(solution.accepted),
    trajectory: solution.trajectory === null ? null : [...solution.trajectory.slice(0, -1), x],
  };
}
