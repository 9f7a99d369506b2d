/** The cheapest pairing of a whole set of noises with a whole set of data: what couplings by batches are measured against. */
import type { PairingTools } from '../coupling/optimal-pairing.ts';
import { pairCost } from '../coupling/transport-cost.ts';
import type { CouplingData } from '../coupling/whole-cost.ts';
import { ShapeError } from '../errors.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';

/** Noises and the data that they are paired with at present. */
export interface PairedSet {
  readonly data: CouplingData;
  /** Seed of each pair's noise: uint32 [pairs]. */
  readonly seeds: Uint32Array;
  /** Datum of each pair, and whether it is mirrored: [pairs]. */
  readonly rows: Uint32Array;
  readonly flipped: Uint8Array;
}

/** Costs are means per pair of |x - z|^2, in float64. */
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

/** Costs -2 x.z of all data with all noises, float32 [pairs, pairs]: the terms of single rows and columns change no assignment. */
async function costsOf(target: Float32Array, source: Float32Array, { elements, products }: CostOptions) {
  const pairs = target.length / elements;
  const costs = new Float32Array(pairs * pairs);
  // Blocks of one size, the last filled with zeros, so that one product is compiled.
  const block = new Float32Array(Math.min(blockRows, pairs) * elements);
  for (let start = 0; start < pairs; start += blockRows) {
    const rows = Math.min(blockRows, pairs - start);
    block.fill(0);
    block.set(target.subarray(start * elements, (start + rows) * elements));
    const part = await products(block, source, elements);
    for (let i = 0; i < rows * pairs; i++) costs[start * pairs + i] = -2 * part[i]!;
  }
  return costs;
}

interface CostOptions {
  readonly elements: number;
  readonly products: PairingTools['products'];
}

/**
 * The pairing of least mean squared cost over all pairs ([davtyan:25], eq. 7), exact for the float32 costs.
 * @throws ShapeError for more than 10,000 pairs; see `transport-bound.ts` for those.
 */
export async function transportOptimum(
  { data, seeds, rows, flipped }: PairedSet,
  { products, solve }: PairingTools,
): Promise<TransportOptimum> {
  const pairs = seeds.length;
  if (pairs > exactPairs) {
    throw new ShapeError({
      expected: `at most ${exactPairs} pairs for an exact optimum`,
      got: String(pairs),
      where: 'analysis/transport-optimum',
    });
  }
  const { elements } = data;
  const target = await data.read(rows, flipped);
  const source = normalsFromSeeds(seeds, elements);
  const values = await costsOf(target, source, { elements, products });
  const sourceOf = Uint32Array.from(await solve({ values, size: pairs, nearIdentity: true }));
  const problem = { source, target, elements };
  let [cost, present] = [0, 0];
  for (const [row, column] of sourceOf.entries()) {
    cost += pairCost('squared', problem, [row, column]);
    present += pairCost('squared', problem, [row, row]);
  }
  return { cost: cost / pairs, present: present / pairs, sourceOf };
}
