/** What becomes of the exact flow of a data set when some of the data are removed: [briq:26], section 2.2 and appendix A.2. */
import type { ClosedFormField } from '../closed-form/closed-form-field.ts';
import { ConfigError } from '../errors.ts';
import { estimateMean } from '../numerics/estimate.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import { permutation } from '../numerics/permutation.ts';
import { quantile } from '../numerics/quantile.ts';
import { type Share, shareOf } from '../numerics/share.ts';
import { stream } from '../numerics/stream.ts';
import { type ExactFlow, type ExactFlowOptions, followExactFlow, pathDeviation } from './exact-flow.ts';

/** Data that remain of a set. */
export interface PrunedSubset {
  /** What tables and charts call it. */
  readonly name: string;
  /** Numbers of the data that remain, all different. */
  readonly kept: Uint32Array;
}

/** Path deviations, in latent units. */
export interface Deviations {
  /** NaN without a noise. */
  readonly median: number;
  /** 95th percentile. */
  readonly p95: number;
  /** Noises. */
  readonly count: number;
}

/** What a subset changes. */
export interface SubsetStability {
  readonly name: string;
  /** Data that remain. */
  readonly kept: number;
  /** Share of the data that is removed. */
  readonly removed: number;
  /** Noises whose assignment is the same, among those whose assigned datum remains. */
  readonly unchanged: Share;
  /** Between the trajectories on all data and on the subset, over the noises whose assigned datum remains. */
  readonly deviation: Deviations;
  /** The same over all noises: of those whose datum is removed, too. */
  readonly deviationOfAll: Deviations;
}

/** Path deviation between the trajectories of different noises on all data. */
export interface SeedDeviation {
  readonly mean: number;
  /** Of the values, n - 1; NaN for less than two pairs. */
  readonly standardDeviation: number;
  /** Pairs of noises, no noise in two. */
  readonly pairs: number;
}

/** The stability of a data set under the removal of data. */
export interface PruningStability {
  readonly subsets: readonly SubsetStability[];
  readonly baseline: SeedDeviation;
  /** Mean weight of the assigned datum at the end of the trajectories on all data: 1 where every noise ends at one datum. */
  readonly finalWeight: number;
  /** Mean number of evaluations on all data that a noise took. */
  readonly evaluations: number;
}

/** What is measured, and how. */
export interface PruningPlan extends ExactFlowOptions {
  /** Seed of each noise, uint32 [noises]. */
  readonly seeds: Uint32Array;
  readonly subsets: readonly PrunedSubset[];
  /** Noises that are followed at once; even, so that pairs stay together. */
  readonly batch: number;
  /** Hears of what has been done so far. */
  readonly onProgress?: (progress: PruningProgress) => void;
}

/** Work that has been done. */
export interface PruningProgress {
  /** Noises that were followed, those on subsets counted again. */
  readonly trajectories: number;
  /** Share of all work, in [0, 1]: a trajectory takes as much as its field has data. */
  readonly share: number;
}

/**
 * A random subset: what remains of `count` data when round(fraction count) of them are removed. It depends on the arguments alone, and
 * subsets of different fractions are independent.
 * @param fraction  in [0, 1).
 * @returns numbers of the data that remain, ascending.
 * @throws ConfigError if the fraction is out of range or removes everything.
 */
export function randomSubset(count: number, fraction: number, seed: number): Uint32Array {
  const removed = Math.round(fraction * count);
  if (!(fraction >= 0 && fraction < 1) || removed >= count) {
    throw new ConfigError({
      expected: `a fraction in [0, 1) that leaves at least one of ${count} data`,
      got: String(fraction),
      where: 'analysis/pruning-stability',
    });
  }
  // Millionths tell fractions apart that people write.
  const random = stream(seed, 'pruned-subset', Math.round(fraction * 1e6));
  return permutation(count, random).slice(removed).sort();
}

/** What was measured of each noise under a subset; `deviation` float64, the others 0 or 1, [noises]. */
interface NoiseRecord {
  readonly remains: Uint8Array;
  readonly same: Uint8Array;
  readonly deviation: Float64Array;
}

function emptyRecord(noises: number): NoiseRecord {
  return {
    remains: new Uint8Array(noises),
    same: new Uint8Array(noises),
    deviation: new Float64Array(noises),
  };
}

function deviationsOf(values: Float64Array): Deviations {
  return { median: quantile(values, 0.5), p95: quantile(values, 0.95), count: values.length };
}

function summary({ name, kept }: PrunedSubset, count: number, record: NoiseRecord): SubsetStability {
  const { remains, same, deviation } = record;
  const remaining = deviation.filter((_, noise) => remains[noise] === 1);
  const hits = same.reduce((sum, one, noise) => sum + (one & remains[noise]!), 0);
  return {
    name,
    kept: kept.length,
    removed: 1 - kept.length / count,
    unchanged: shareOf(hits, remaining.length),
    deviation: deviationsOf(remaining),
    deviationOfAll: deviationsOf(deviation),
  };
}

/** Holds a batch on a subset against the same noises on all data. */
function recordBatch(
  record: NoiseRecord,
  first: number,
  {
    full,
    pruned,
    kept,
  }: { readonly full: ExactFlow<Float32Array>; readonly pruned: ExactFlow<Float32Array>; readonly kept: Set<number> },
): void {
  for (let row = 0; row < full.batch; row++) {
    record.remains[first + row] = kept.has(full.nearest[row]!) ? 1 : 0;
    record.same[first + row] = full.nearest[row] === pruned.nearest[row] ? 1 : 0;
    record.deviation[first + row] = pathDeviation({ flow: full, row }, { flow: pruned, row });
  }
}

/** Deviations between rows 0 and 1, 2 and 3, ... of a flow. */
function deviationsOfPairs(flow: ExactFlow<Float32Array>): number[] {
  return Array.from({ length: Math.floor(flow.batch / 2) }, (_, pair) =>
    pathDeviation({ flow, row: 2 * pair }, { flow, row: 2 * pair + 1 }),
  );
}

/**
 * Follows the same noises along the exact field of all data and of each subset: how many end at the same datum, and how far the
 * trajectories are apart, beside those of different noises.
 *
 * A noise is assigned the datum with the largest weight at the last time before 1. Its assignment counts under a subset if that datum
 * remains. Sources: [briq:26], figures 2, 8 and 9.
 * @param field  of all data.
 * @throws ShapeError, ConfigError as `followExactFlow`; ShapeError if a subset is not one of the data.
 */
export async function pruningStability(
  field: ClosedFormField<Float32Array>,
  { seeds, subsets, batch, onProgress, ...options }: PruningPlan,
): Promise<PruningStability> {
  const noises = seeds.length;
  const pruned = subsets.map(({ kept }) => ({ field: field.restrictedTo(kept), kept: new Set(kept) }));
  const records = subsets.map(() => emptyRecord(noises));
  const pairs: number[] = [];
  const finalWeight = new Float64Array(noises);
  const evaluations = new Float64Array(noises);
  const work = noises * (field.count + subsets.reduce((sum, { kept }) => sum + kept.length, 0));
  let [done, trajectories] = [0, 0];
  const advance = (rows: number, data: number) => {
    done += rows * data;
    trajectories += rows;
    onProgress?.({ trajectories, share: done / work });
  };
  for (let first = 0; first < noises; first += batch) {
    const x0 = normalsFromSeeds(seeds.subarray(first, first + batch), field.elements);
    const full = await followExactFlow(field, x0, options);
    pairs.push(...deviationsOfPairs(full));
    finalWeight.set(full.largestWeight, first);
    evaluations.set(full.evaluations, first);
    advance(full.batch, field.count);
    for (const [i, subset] of pruned.entries()) {
      const flow = await followExactFlow(subset.field, x0, options);
      recordBatch(records[i]!, first, { full, pruned: flow, kept: subset.kept });
      advance(full.batch, subset.kept.size);
    }
  }
  const { mean, standardError, count } = estimateMean(pairs);
  return {
    subsets: subsets.map((subset, i) => summary(subset, field.count, records[i]!)),
    baseline: { mean, standardDeviation: standardError * Math.sqrt(count), pairs: count },
    finalWeight: estimateMean(finalWeight).mean,
    evaluations: estimateMean(evaluations).mean,
  };
}
