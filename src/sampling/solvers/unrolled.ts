/** Solvers with fixed steps as graphs: every step and stage written out. */
import { add, cast, multiply } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { ButcherTableau } from './solver.ts';

/** Sums of slopes: in float64, as on the host, or in float32 where a provider has no float64. */
export type SumType = 'float64' | 'float32';

/** An initial value problem of a graph. */
export interface GraphProblem {
  /** States at the grid's first time, float32. */
  readonly x0: Tensor;
  /** The velocity at a state and a time of the whole batch, like x. */
  readonly field: (x: Tensor, time: number) => Tensor;
}

/** x + step · sum_j weights_j slopes_j, rounded once to x's type where sums are float64. */
function addSlopes(
  { x, slopes, sums }: { readonly x: Tensor; readonly slopes: readonly Tensor[]; readonly sums: SumType },
  weights: readonly number[],
  step: number,
): Tensor {
  const terms = weights.flatMap((weight, j) => (weight === 0 ? [] : [multiply(cast(slopes[j]!, sums), weight)]));
  if (terms.length === 0) return x;
  const sum = terms.reduce((left, right) => add(left, right));
  return cast(add(cast(x, sums), multiply(sum, step)), x.dtype);
}

/**
 * The states at the grid's last time: k_i = v(x + h sum_j a_ij k_j, t + c_i h); x <- x + h sum_i b_i k_i for each step, in the order of
 * operations of `explicitRungeKutta`.
 *
 * Source: [hairer:93], section II.1.
 * @param grid  times, as the solver takes them.
 */
export function unrolled(
  { x0, field }: GraphProblem,
  { tableau, grid, sums }: { readonly tableau: ButcherTableau; readonly grid: Float64Array; readonly sums: SumType },
): Tensor {
  let x = x0;
  for (let i = 1; i < grid.length; i++) {
    const [from, next] = [grid[i - 1]!, grid[i]!];
    const step = next - from;
    const slopes: Tensor[] = [];
    for (const [stage, node] of tableau.nodes.entries()) {
      const state = addSlopes({ x, slopes, sums }, tableau.matrix[stage]!, step);
      slopes.push(field(state, node === 1 ? next : from + node * step));
    }
    x = addSlopes({ x, slopes, sums }, tableau.weights, step);
  }
  return x;
}
