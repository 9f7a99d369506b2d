/** How far the exact field of a data set is from the velocity of a single pair, which training regresses to. */
import type { ClosedFormField } from '../closed-form/closed-form-field.ts';
import { ConfigError } from '../errors.ts';
import { normOver } from './flow-trajectory.ts';

/** Cosine above which the field and a pair's velocity are called aligned. Source: [bertrand:25], figure 1. */
export const alignedAbove = 0.9;
/**
 * A stricter one. In many dimensions x0 is most of either velocity, so that the cosine is about 1 / sqrt(1 + v) at time 0 already, where v
 * is the variance of the data per element: above 0.9 where v < 0.23.
 */
export const closelyAlignedAbove = 0.99;
/** Share of pairs above which a time is called collapsed. */
export const collapsedShare = 0.5;

/** Pairs asked about at once. */
const chunkPairs = 256;

/** Pairs of noise and data of the field, rows aligned. */
export interface AlignmentPairs {
  /** float32 [pairs, elements]. */
  readonly source: Float32Array;
  /** float32 [pairs, elements]. */
  readonly target: Float32Array;
  /** Number of each target among the field's data: uint32 [pairs]. */
  readonly rows: Uint32Array;
}

/** The pairs at a time. */
export interface Alignment {
  /** cos of the angle between u*(xt, t) and x1 - x0, in [-1, 1]: float64 [pairs]. */
  readonly cosines: Float64Array;
  /** Weight lambda of the pair's own datum in the field, in [0, 1]: float64 [pairs]. */
  readonly ownWeights: Float64Array;
}

function cosineOf(a: Float32Array, b: (i: number) => number, span: readonly [number, number]): number {
  let product = 0;
  for (let i = span[0]; i < span[1]; i++) product += a[i]! * b(i);
  const norms = normOver(span, (i) => a[i]!) * normOver(span, b);
  return Math.max(-1, Math.min(1, product / norms));
}

/**
 * The cosine of the angle between the field u*(xt, t) and the velocity x1 - x0 of the pair that made xt = (1 - t) x0 + t x1, and the
 * weight of x1 in the field, for each pair. Both are 1 where nothing of the target is random any more. The cosine is high in high
 * dimensions even at time 0, as x0 is most of either vector; the weight is not.
 *
 * Source: [bertrand:25], figure 1. The weight is exp(-|x0|^2 / 2) over the sum that the field's softmax divides by.
 * @param time  in [0, 1).
 * @throws as `ClosedFormField.evaluate`.
 */
export async function alignment(
  field: ClosedFormField<Float32Array>,
  { source, target, rows }: AlignmentPairs,
  time: number,
): Promise<Alignment> {
  const { elements } = field;
  const [cosines, ownWeights] = [new Float64Array(rows.length), new Float64Array(rows.length)];
  for (let first = 0; first < rows.length; first += chunkPairs) {
    const count = Math.min(chunkPairs, rows.length - first);
    const [from, x1] = [source, target].map((values) => values.subarray(first * elements, (first + count) * elements));
    const xt = from!.map((value, i) => (1 - time) * value + time * x1![i]!);
    const answer = await field.evaluate(xt, new Float64Array(count).fill(time));
    for (let row = 0; row < count; row++) {
      const span = [row * elements, (row + 1) * elements] as const;
      cosines[first + row] = cosineOf(answer.velocity, (i) => x1![i]! - from![i]!, span);
      const own = Math.exp(Math.min(0, -(normOver(span, (i) => from![i]!) ** 2) / 2 - answer.logSumExp[row]!));
      // The largest weight has more digits than the difference of two large logarithms.
      ownWeights[first + row] = answer.nearest[row] === rows[first + row] ? answer.largestWeight[row]! : own;
    }
  }
  return { cosines, ownWeights };
}

/** Share of values above a limit. */
export function shareAbove(values: ArrayLike<number>, limit: number): number {
  return Array.from(values).filter((value) => value > limit).length / values.length;
}

/**
 * The first of some times at which more than half of the pairs are aligned; null if there is none. Source: [bertrand:25], figure 1c.
 * @param shares  share of aligned pairs at each time.
 */
export function collapseTime(
  times: readonly number[],
  shares: readonly number[],
  share = collapsedShare,
): number | null {
  return times[shares.findIndex((one) => one > share)] ?? null;
}

/** How many values lie in each of equal parts of a range. */
export interface Histogram {
  readonly from: number;
  readonly to: number;
  /** Values in each part; the last one holds its upper end. */
  readonly counts: readonly number[];
}

/** Counts values in parts of [from, to]. @throws ConfigError if a value is outside or the range has no parts. */
export function histogram(
  values: ArrayLike<number>,
  { from, to, parts }: { readonly from: number; readonly to: number; readonly parts: number },
): Histogram {
  const counts = Array.from({ length: parts }, () => 0);
  for (const value of Array.from(values)) {
    const part = Math.min(parts - 1, Math.floor(((value - from) / (to - from)) * parts));
    if (!(value >= from && value <= to && part >= 0)) {
      throw new ConfigError({ expected: `values in [${from}, ${to}]`, got: `${value}`, where: 'analysis/alignment' });
    }
    counts[part]!++;
  }
  return { from, to, counts };
}
