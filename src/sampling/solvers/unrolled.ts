/** Solvers with fixed steps as graphs: one step, or all of them written out. */
import { add, cast, multiply, type Operand } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { ButcherTableau } from './solver.ts';

/** Sums of slopes: in float64, as on the host, or in float32 where a provider has no float64. */
export type SumType = 'float64' | 'float32';

/** An initial value problem of a graph. */
export interface GraphProblem {
  /** States at the first time, float32. */
  readonly x0: Tensor;
  /** The velocity at a state and a time of the whole batch, like x. A time is a number or float32 []. */
  readonly field: (x: Tensor, time: Operand) => Tensor;
}

/** How steps are made. */
export interface GraphSolver {
  readonly tableau: ButcherTableau;
  readonly sums: SumType;
}

/** Where a step is. */
export interface GraphStep {
  /** Its length, of the type of the sums. */
  readonly length: Operand;
  /** Time of each stage. */
  readonly times: readonly Operand[];
}

interface Slopes {
  readonly x: Tensor;
  readonly slopes: readonly Tensor[];
  readonly sums: SumType;
  readonly length: Operand;
}

/** x + length · sum_j weights_j slopes_j, rounded once to x's type where sums are float64. */
function addSlopes({ x, slopes, sums, length }: Slopes, weights: readonly number[]): Tensor {
  const terms = weights.flatMap((weight, j) => (weight === 0 ? [] : [multiply(cast(slopes[j]!, sums), weight)]));
  if (terms.length === 0) return x;
  const sum = terms.reduce((left, right) => add(left, right));
  return cast(add(cast(x, sums), multiply(sum, length)), x.dtype);
}

/**
 * The states after one step: k_i = v(x + h sum_j a_ij k_j, t + c_i h); x + h sum_i b_i k_i, in the order of operations of
 * `explicitRungeKutta`. Source: [hairer:93], section II.1.
 */
export function graphStep({ x0, field }: GraphProblem, { tableau, sums }: GraphSolver, step: GraphStep): Tensor {
  const { length, times } = step;
  const slopes: Tensor[] = [];
  for (const [stage, weights] of tableau.matrix.entries()) {
    slopes.push(field(addSlopes({ x: x0, slopes, sums, length }, weights), times[stage]!));
  }
  return addSlopes({ x: x0, slopes, sums, length }, tableau.weights);
}

/** Lengths of the steps between neighbouring times of a grid, and the times of their stages, as `explicitRungeKutta` has them. */
export function stepsOf(
  grid: Float64Array,
  { nodes }: ButcherTableau,
): readonly { readonly length: number; readonly times: readonly number[] }[] {
  return Array.from(grid.subarray(1), (next, i) => {
    const from = grid[i]!;
    const length = next - from;
    return { length, times: nodes.map((node) => (node === 1 ? next : from + node * length)) };
  });
}

/** The states at the grid's last time, every step written out. */
export function unrolled(problem: GraphProblem, solver: GraphSolver, grid: Float64Array): Tensor {
  return stepsOf(grid, solver.tableau).reduce((x0, step) => graphStep({ ...problem, x0 }, solver, step), problem.x0);
}
