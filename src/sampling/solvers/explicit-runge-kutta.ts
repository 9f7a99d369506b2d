import {
  type ButcherTableau,
  type CountedField,
  checkMonotonic,
  copyOf,
  countedField,
  emptyLike,
  type FloatArray,
  type Solver,
} from './solver.ts';

/** A linear combination of slopes to be added to a state. */
export interface Combination<A extends FloatArray> {
  readonly x: A;
  /** Signed step size. */
  readonly step: number;
  readonly slopes: readonly A[];
  /** A weight for each slope; slopes beyond the last weight do not count. */
  readonly weights: readonly number[];
}

/**
 * Writes x + step * sum_j weights_j slopes_j into elements [begin, end) of `out`. Sums are float64, in the order of the
 * slopes, and rounded once to the array's type. `out` may be `x`.
 */
export function addSlopes<A extends FloatArray>(
  { x, step, slopes, weights }: Combination<A>,
  out: A,
  [begin, end]: readonly [number, number] = [0, x.length],
): void {
  for (let i = begin; i < end; i++) {
    let sum = 0;
    for (let j = 0; j < weights.length; j++) sum += weights[j]! * slopes[j]![i]!;
    out[i] = x[i]! + step * sum;
  }
}

/** Memory of a run: the state, the argument of the field, its times and the slopes. */
interface Workspace<A extends FloatArray> {
  readonly x: A;
  readonly stage: A;
  readonly time: Float64Array;
  readonly slopes: readonly A[];
}

/** One step from time t to time `next`: k_i = v(x + h sum_j a_ij k_j, t + c_i h); x <- x + h sum_i b_i k_i. */
async function stepTo<A extends FloatArray>(
  tableau: ButcherTableau,
  field: CountedField<A>,
  run: Workspace<A> & { readonly from: number; readonly next: number },
): Promise<void> {
  const { x, stage, time, slopes, from, next } = run;
  const step = next - from;
  for (const [i, node] of tableau.nodes.entries()) {
    time.fill(node === 1 ? next : from + node * step);
    addSlopes({ x, step, slopes, weights: tableau.matrix[i]! }, stage);
    await field.evaluate(stage, time, slopes[i]!);
  }
  addSlopes({ x, step, slopes, weights: tableau.weights }, x);
}

/**
 * The solver that takes one step of an explicit Runge-Kutta method between neighbouring times of the grid. Stage times are
 * float64 and lie within the step.
 */
export function explicitRungeKutta(name: string, tableau: ButcherTableau): Solver {
  return {
    name,
    order: tableau.order,
    evaluationsPerStep: tableau.nodes.length,
    tableau,
    async solve(problem, grid, options = {}) {
      checkMonotonic(grid);
      const field = countedField(problem, new Uint8Array(problem.batch).fill(1));
      const x = copyOf(problem.x0);
      const slopes = tableau.nodes.map(() => emptyLike(x));
      const workspace = { x, stage: emptyLike(x), time: new Float64Array(problem.batch), slopes };
      const trajectory = options.trajectory === true ? [copyOf(x)] : null;
      for (let i = 1; i < grid.length; i++) {
        await stepTo(tableau, field, { ...workspace, from: grid[i - 1]!, next: grid[i]! });
        trajectory?.push(copyOf(x));
      }
      return {
        x,
        time: new Float64Array(problem.batch).fill(grid.at(-1)!),
        converged: true,
        evaluations: field.evaluations,
        modelCalls: field.calls(),
        accepted: new Int32Array(problem.batch).fill(grid.length - 1),
        rejected: new Int32Array(problem.batch),
        trajectory,
      };
    },
  };
}
