/** The cheapest pairing of a whole set of noises with a whole set of data: what couplings by batches are measured against. */

import type { KeptPairs } from '../coupling/coupling.ts';
import type { PairingTools } from '../coupling/optimal-pairing.ts';
import { alignedCosts, assignmentCosts, type CostKind, pairCost } from '../coupling/transport-cost.ts';
import type { CouplingData } from '../coupling/whole-cost.ts';
import { ShapeError } from '../errors.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';

/** Costs are means per pair, in float64. */
export interface TransportOptimum {
  readonly cost: number;
  /** Cost of the present pairing. */
  readonly present: number;
  /** Place in `seeds` of the noise that each datum gets: uint32 [pairs]. */
  readonly sourceOf: Uint32Array;
}

/** Pairs up to which the exact optimum is computed: the costs of so many take 400 MB. */
export const exactPairs = 10_000;

/** Target rows whose products are computed at once. */
const blockRows = 512;

export interface OptimumOptions {
  readonly data: CouplingData;
  readonly cost: CostKind;
  readonly tools: PairingTools;
}

/** Costs of all data with all noises, float32 [pairs, pairs], but for terms that change no assignment. */
async function costsOf(target: Float32Array, source: Float32Array, { data, cost, tools }: OptimumOptions) {
  const { elements } = data;
  const pairs = target.length / elements;
  const costs = new Float32Array(pairs * pairs);
  // Blocks of one size, the last filled with zeros, so that one product is compiled.
  const block = new Float32Array(Math.min(blockRows, pairs) * elements);
  for (let start = 0; start < pairs; start += blockRows) {
    const rows = Math.min(blockRows, pairs - start);
    block.fill(0);
    block.set(target.subarray(start * elements, (start + rows) * elements));
    const part = await assignmentCosts(cost, { source, target: block, elements }, tools.products);
    costs.set(part.subarray(0, rows * pairs), start * pairs);
  }
  return costs;
}

/**
 * The pairing of least mean cost over all pairs ([davtyan:25], eq. 7), exact for the float32 costs.
 * @throws ShapeError for more than 10,000 pairs.
 */
export async function transportOptimum(
  { seeds, rows, flipped }: KeptPairs,
  options: OptimumOptions,
): Promise<TransportOptimum> {
  const pairs = seeds.length;
  if (pairs > exactPairs) {
    throw new ShapeError({
      expected: `at most ${exactPairs} pairs for an exact optimum`,
      got: String(pairs),
      where: 'analysis/transport-optimum',
    });
  }
  const { data, cost: kind, tools } = options;
  const { elements } = data;
  const target = await data.read(rows, flipped);
  const source = normalsFromSeeds(seeds, elements);
  const values = await costsOf(target, source, options);
  const sourceOf = Uint32Array.from(await tools.solve({ values, size: pairs, nearIdentity: true }));
  const problem = { source, target, elements };
  const mean = (costs: ArrayLike<number>) => Array.from(costs).reduce((sum, one) => sum + one, 0) / pairs;
  return {
    cost: mean(Array.from(sourceOf, (column, row) => pairCost(kind, problem, [row, column]))),
    present: mean(alignedCosts(kind, problem)),
    sourceOf,
  };
}
