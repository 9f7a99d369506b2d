/** What no pairing of given noises with the data can cost less than. */
import { groupImages, keepImages, openAscent } from '../coupling/semidiscrete-cells.ts';
import type { CouplingData } from '../coupling/whole-cost.ts';
import { ConfigError } from '../errors.ts';
import type { ArgmaxProducts, OpenArgmaxProducts } from '../numerics/argmax-products.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import { permutation } from '../numerics/permutation.ts';
import { stream } from '../numerics/stream.ts';

/** Noises that are in memory at once. */
const blockNoises = 256;
/** See `potentialAscent`. */
const ascent = { rate: 4, slowing: 2 };

export interface TransportBoundOptions {
  /** Seeds of the noises, as many for each image: uint32 [noises]. */
  readonly seeds: Uint32Array;
  readonly data: CouplingData;
  readonly openProducts: OpenArgmaxProducts;
  /** Passes over the noises at most, those that measure included. */
  readonly passes: number;
  /** Ends when twice the passes raise the bound by less than this part of it. */
  readonly tolerance: number;
}

export interface TransportBound {
  /** Least cost per pair that is possible, or less. */
  readonly bound: number;
  readonly passes: number;
  /** Whether it ended because the bound did not rise any more, rather than with the passes. */
  readonly converged: boolean;
}

/** What the ascent goes over. */
interface Noises {
  readonly seeds: Uint32Array;
  readonly elements: number;
}

/** Mean over the noises of |z|^2 - 2 max_i (x_i.z + h_i) by the offsets in use. */
async function meanOverNoises(products: ArgmaxProducts, { seeds, elements }: Noises): Promise<number> {
  let sum = 0;
  for (let start = 0; start < seeds.length; start += blockNoises) {
    const noise = normalsFromSeeds(seeds.subarray(start, start + blockNoises), elements);
    const { scores } = await products.argmax(noise);
    for (const value of noise) sum += value * value;
    for (const score of scores) sum -= 2 * score;
  }
  return sum / seeds.length;
}

/**
 * A lower bound on the mean squared distance over all pairings that give each image the same number of noises: the dual
 * mean_j min_i (|x_i - z_j|^2 - g_i) + mean_i g_i, which is one for any potentials g ([peyre:19], section 5; weak duality), raised by
 * stochastic ascent on this very set of noises in random order. For as many noises as images its supremum is the cost of the optimal
 * assignment. Memory: the data, and a few blocks of noises whatever their number. Scores are float32: the bound is exact to about 1e-6 of
 * |x|^2 + |z|^2.
 * @throws ConfigError if the noises are not as many for each image.
 */
export async function transportBound({
  seeds,
  data,
  openProducts,
  passes: mostPasses,
  tolerance,
}: TransportBoundOptions): Promise<TransportBound> {
  const [members] = groupImages(data, false);
  const { elements } = data;
  checkNoises(seeds.length, members.length);
  const kept = await keepImages(members, { data, openProducts, seed: 0 });
  const { products, meanSquare } = kept;
  try {
    const rising = await openAscent(kept, { elements, seed: 0, ascent });
    const changeNoises = Math.max(1, Math.min(blockNoises, Math.floor(members.length / 4)));
    let [passes, bound, converged] = [0, Number.NEGATIVE_INFINITY, false];
    for (let round = 1; passes + round + 1 <= mostPasses && !converged; round *= 2) {
      for (let pass = 0; pass < round; pass++, passes++) {
        const order = permutation(seeds.length, stream(0, 'transport-bound', passes));
        for (let start = 0; start < order.length; start += changeNoises) {
          const chosen = order.subarray(start, start + changeNoises).map((noise) => seeds[noise]!);
          products.setOffsets(rising.current);
          rising.step(await products.argmax(normalsFromSeeds(chosen, elements)));
        }
      }
      products.setOffsets(rising.averaged);
      const offsets = Float32Array.from(rising.averaged); // as the products use them
      const meanOffset = offsets.reduce((sum, one) => sum + one, 0) / offsets.length;
      const reached = meanSquare + 2 * meanOffset + (await meanOverNoises(products, { seeds, elements }));
      passes += 1;
      converged = reached - bound < tolerance * Math.abs(reached);
      bound = Math.max(bound, reached);
    }
    return { bound, passes, converged };
  } finally {
    products.release();
  }
}

function checkNoises(noises: number, images: number): void {
  if (noises > 0 && noises % images === 0) return;
  throw new ConfigError({
    expected: `as many noises for each of ${images} images`,
    got: `${noises} noises`,
    where: 'analysis/transport-bound',
  });
}
