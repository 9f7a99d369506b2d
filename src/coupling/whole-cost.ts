/** Transport cost over a whole set, of which batches show only a part. */
import { normalsFromSeeds } from '../numerics/normal.ts';
import { permutation } from '../numerics/permutation.ts';
import { stream } from '../numerics/stream.ts';
import type { WholeCost } from './coupling.ts';
import { alignedCosts, type CostKind } from './transport-cost.ts';

/** The data behind a coupling, to be read in any order. */
export interface CouplingData {
  readonly count: number;
  /** Numbers of one datum's latents. */
  readonly elements: number;
  /** Label of each datum: int32 [count]; all 0 without labels. */
  readonly labels: Int32Array;
  /** Whether training also sees the data mirrored. */
  readonly mirrored: boolean;
  /** Latents of some data: float32 [rows, elements]. `flipped`: 1 where mirrored, uint8 [rows]. */
  read(rows: Uint32Array, flipped: Uint8Array): Promise<Float32Array>;
}

/** Pairs that are counted unless all are: the same ones each time, so that values along a run compare. */
const sampledPairs = 4096;
/** Pairs whose noises are in memory at once. */
const blockPairs = 512;

export interface WholeCostOptions {
  readonly data: CouplingData;
  /** Seed of the run. */
  readonly seed: number;
  readonly caches: number;
  readonly cost: CostKind;
  /** Pairs to count at most; default 4096. */
  readonly pairs?: number;
}

/** Mean and standard error of the mean, over a part of `population` values. */
function summary(costs: Float64Array, population: number): WholeCost {
  const pairs = costs.length;
  const cost = costs.reduce((sum, one) => sum + one, 0) / pairs;
  const variance = costs.reduce((sum, one) => sum + (one - cost) ** 2, 0) / Math.max(1, pairs - 1);
  // Of a finite population without replacement.
  return { cost, standardError: Math.sqrt((variance / pairs) * (1 - pairs / population)), pairs };
}

/**
 * Mean cost of the pairs that seeds [mirrored, datum, cache] stand for.
 * @param seeds  uint32 [slots], in the order of `loomCoupling`'s cache.
 */
export async function wholeCostOf(
  seeds: Uint32Array,
  { data, seed, caches, cost: kind, pairs = sampledPairs }: WholeCostOptions,
): Promise<WholeCost> {
  const slots =
    seeds.length <= pairs
      ? Uint32Array.from(seeds, (_, slot) => slot)
      : permutation(seeds.length, stream(seed, 'whole-cost')).slice(0, pairs).sort();
  const costs = new Float64Array(slots.length);
  for (let start = 0; start < slots.length; start += blockPairs) {
    const block = slots.subarray(start, start + blockPairs);
    const images = block.map((slot) => Math.floor(slot / caches));
    const rows = images.map((image) => image % data.count);
    const flipped = Uint8Array.from(images, (image) => Math.floor(image / data.count));
    const source = normalsFromSeeds(
      block.map((slot) => seeds[slot]!),
      data.elements,
    );
    costs.set(alignedCosts(kind, { source, target: await data.read(rows, flipped), elements: data.elements }), start);
  }
  return summary(costs, seeds.length);
}
