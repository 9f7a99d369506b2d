/** What [briq:26] claims of the exact flow under pruning, held against measurements. */
import type { SubsetStability } from '../../analysis/pruning-stability.ts';
import { type Share, shareOf } from '../../numerics/share.ts';
import type { PruningResult } from '../pruning-request.ts';

/** Section 2.2: "The assignment changes for only a small fraction of the samples (less than 3%) for any pruning fraction pr up to 0.9". */
export const claimedShare = 0.97;

/** 'holds' or 'fails' where the interval lies on one side of the claim, 'open' where it has both. */
export type Verdict = 'holds' | 'fails' | 'open';

/** A share of unchanged assignments against the claim. */
export function judgeShare({ low, high }: Share): Verdict {
  if (high < claimedShare) return 'fails';
  return low >= claimedShare ? 'holds' : 'open';
}

/** A data set against the claim. */
export interface UnchangedVerdict {
  readonly name: string;
  readonly verdict: Verdict;
  /** The fraction at which the fewest assignments stay, and that share; null where no noise counts. */
  readonly worst: { readonly removed: number; readonly share: number } | null;
  /** All fractions together. */
  readonly all: Share;
}

/**
 * The claim is about every fraction: it fails where one of them contradicts it. It holds where the shares of all fractions together do,
 * as one fraction alone has too few noises to tell (of 1,000, a hundred remain at 0.9).
 */
export function judgeUnchanged({ name, subsets }: Pick<PruningResult, 'name' | 'subsets'>): UnchangedVerdict {
  const counted = subsets.filter(({ unchanged }) => unchanged.trials > 0);
  const sum = (of: (share: Share) => number) => counted.reduce((total, { unchanged }) => total + of(unchanged), 0);
  const all = shareOf(
    sum(({ hits }) => hits),
    sum(({ trials }) => trials),
  );
  const fails = counted.some(({ unchanged }) => judgeShare(unchanged) === 'fails');
  const worst = counted.toSorted((a, b) => a.unchanged.share - b.unchanged.share)[0];
  return {
    name,
    verdict: fails ? 'fails' : judgeShare(all),
    worst: worst === undefined ? null : { removed: worst.removed, share: worst.unchanged.share },
    all,
  };
}

/** 95th percentile of the path deviation, over the baseline, below which we call it small; the paper has 1.22 / 80.15 = 0.015. */
export const smallDeviation = 0.1;

/** Path deviations of a data set against those between different noises. */
export interface DeviationVerdict {
  readonly name: string;
  readonly removed: number;
  /** Over the mean between different noises. */
  readonly median: number;
  readonly p95: number;
  readonly small: boolean;
}

/** The deviation at the fraction of the paper's numbers, or at the nearest one. */
export function judgeDeviation(
  { name, subsets, baseline }: Pick<PruningResult, 'name' | 'subsets' | 'baseline'>,
  fraction: number,
): DeviationVerdict {
  const { removed, deviation } = nearestSubset(subsets, fraction);
  const [median, p95] = [deviation.median / baseline.mean, deviation.p95 / baseline.mean];
  return { name, removed, median, p95, small: p95 < smallDeviation };
}

/** The subset from which the share nearest to `fraction` is removed. */
export function nearestSubset(subsets: readonly SubsetStability[], fraction: number): SubsetStability {
  return subsets.toSorted((a, b) => Math.abs(a.removed - fraction) - Math.abs(b.removed - fraction))[0]!;
}

/** Whether the share of unchanged assignments rises with the dimension. */
export interface DimensionVerdict {
  /** The share in the most dimensions is above that in the fewest, by more than their intervals. */
  readonly rises: boolean;
  /** Dimensions in which it is below that in fewer dimensions, by more than their intervals. */
  readonly falls: readonly number[];
}

/** Holds the shares at one fraction against "As D increases, we observe that the assignment changes less" (appendix A.2). */
export function judgeDimensions(
  shares: readonly { readonly dimension: number; readonly unchanged: Share }[],
): DimensionVerdict {
  const ordered = shares.toSorted((a, b) => a.dimension - b.dimension);
  const falls = ordered.filter(({ unchanged }, i) => i > 0 && unchanged.high < ordered[i - 1]!.unchanged.low);
  const [first, last] = [ordered[0]!.unchanged, ordered.at(-1)!.unchanged];
  return { rises: last.low > first.high, falls: falls.map(({ dimension }) => dimension) };
}
