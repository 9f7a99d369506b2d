/** Entropic transport within the batch: fresh noise, given to the data by a plan that is less strict than the cheapest. */
import { NumericalError } from '../errors.ts';
import { type SourceUse, sampleFromPlan } from '../numerics/sample-from-plan.ts';
import { sinkhorn } from '../numerics/sinkhorn.ts';
import { type RandomStream, stream } from '../numerics/stream.ts';
import type { Coupling } from './coupling.ts';
import { matchWithinGroups, type PairingTools, pairingOf } from './optimal-pairing.ts';
import { statelessCoupling } from './stateless-coupling.ts';
import { alignedCosts, assignmentCosts, type CostKind, pairCost } from './transport-cost.ts';

export interface SinkhornCouplingOptions {
  readonly cost: CostKind;
  /** Whether noises are given to data of the same label alone as they were drawn for. */
  readonly perClass: boolean;
  /** Weight of the entropy in units of the spread of the batch's costs: 0 is the cheapest permutation, infinity an independent one. */
  readonly epsilon: number;
  /** L1 error of the plan's marginals at which the iteration ends. */
  readonly tolerance: number;
  readonly maxIterations: number;
  /** Whether every noise of the batch is used exactly once, or each datum draws for itself. */
  readonly sources: SourceUse;
}

/** Standard deviation of square costs, with the means of rows and columns, which change no plan, taken out. */
function costSpread(values: Float32Array, size: number): number {
  const rows = new Float64Array(size);
  const columns = new Float64Array(size);
  let mean = 0;
  for (const [i, value] of values.entries()) {
    rows[Math.floor(i / size)]! += value / size;
    columns[i % size]! += value / size;
    mean += value / values.length;
  }
  let squares = 0;
  for (const [i, value] of values.entries()) {
    squares += (value - rows[Math.floor(i / size)]! - columns[i % size]! + mean) ** 2;
  }
  return Math.sqrt(squares / values.length);
}

/** Column of each row, drawn from the entropic plan. @throws NumericalError if the iteration does not converge. */
function drawMatch(
  values: Float32Array,
  size: number,
  { epsilon, tolerance, maxIterations, sources, random }: SinkhornCouplingOptions & { readonly random: RandomStream },
): Int32Array {
  const spread = costSpread(values, size);
  // One row, or costs that are all alike: any match is as good as any other.
  if (!(spread > 0)) return Int32Array.from({ length: size }, (_, row) => row);
  const cost = { values, rows: size, columns: size };
  const { plan, converged, marginalError } = sinkhorn(cost, { epsilon: epsilon * spread, tolerance, maxIterations });
  if (converged) return sampleFromPlan(plan, random, { sources });
  throw new NumericalError({
    expected: `marginals within ${tolerance} after ${maxIterations} iterations`,
    got: `an error of ${marginalError.toPrecision(3)}`,
    where: 'coupling/sinkhorn',
    remedy: 'a larger `coupling.epsilon` or `coupling.maxIterations`',
  });
}

/**
 * Draws a noise for each datum of the batch and gives the noises to the data by the entropic plan: every datum keeps its place and gets
 * one noise; with `sources` 'once' every noise is used once, so that the batch's noise stays as it was drawn.
 *
 * Sources: [cuturi:13], [tong:24] (SB-CFM and OT-CFM draw whole pairs with replacement, which loses data).
 */
export function sinkhornCoupling(options: SinkhornCouplingOptions, { products }: PairingTools): Coupling {
  const { cost: kind, perClass } = options;
  return statelessCoupling('sinkhorn', async ({ target, labels }, noise, { seed, imagesSeen }) => {
    const rows = { ...noise, target, labels, elements: target.length / labels.length };
    const random = stream(seed, 'sinkhorn-plan', imagesSeen);
    const costs = await assignmentCosts(kind, rows, products);
    const sourceOf = await matchWithinGroups(costs, perClass ? labels : null, async (values, size) =>
      drawMatch(values, size, { ...options, random }),
    );
    return pairingOf(rows, {
      sourceOf,
      costBefore: alignedCosts(kind, rows),
      cost: Float64Array.from(sourceOf, (column, row) => pairCost(kind, rows, [row, column])),
      reassigned: sourceOf.filter((column, row) => column !== row).length,
    });
  });
}
