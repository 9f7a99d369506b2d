/** Transport cost over a whole set, of which batches show only a part. */
import { normalsFromSeeds } from '../numerics/normal.ts';
import { permutation } from '../numerics/permutation.ts';
import { stream } from '../numerics/stream.ts';
import type { KeptPairs, WholeCost } from './coupling.ts';
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

/** Mean cost of kept pairs: of all of them, or of a sample that the run's seed fixes. */
export async function wholeCostOf(
  { seeds, rows, flipped }: KeptPairs,
  { data, seed, cost: kind, pairs = sampledPairs }: WholeCostOptions,
): Promise<WholeCost> {
  const chosen =
    seeds.length <= pairs
      ? Uint32Array.from(seeds, (_, pair) => pair)
      : permutation(seeds.length, stream(seed, 'whole-cost')).slice(0, pairs).sort();
  const costs = new Float64Array(chosen.length);
  const { elements } = data;
  for (let start = 0; start < chosen.length; start += blockPairs) {
    const block = chosen.subarray(start, start + blockPairs);
    const target = await data.read(
      block.map((pair) => rows[pair]!),
      Uint8Array.from(block, (pair) => flipped[pair]!),
    );
    const source = normalsFromSeeds(
      block.map((pair) => seeds[pair]!),
      elements,
    );
    costs.set(alignedCosts(kind, { source, target, elements }), start);
  }
  return summary(costs, seeds.length);
}
