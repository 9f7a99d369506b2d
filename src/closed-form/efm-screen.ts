/** Finds the few candidates of a bank that have weight, from products that are computed for many at once in float32. */
import type { FloatArray } from './closed-form-field.ts';
import { type Candidates, type EfmPair, relativeLogit } from './efm-target.ts';

/** Products of one point with its candidates. */
export interface Screen {
  /** xt.b for each candidate b, from float32 products: [candidates]. */
  readonly products: FloatArray;
  /** |b|^2 of each row of the matrix that the candidates are in: float64 [any]. */
  readonly squares: Float64Array;
  /** The largest |b|. */
  readonly largestNorm: number;
}

/** Candidates that have weight, with their logits less that of x1. */
export interface WeighedCandidates {
  readonly rows: Uint32Array;
  readonly logits: Float64Array;
}

/** Error of a float32 product over the norms of its factors: a few roundings, as their errors differ in sign. */
const productError = 2 ** -22;
/** Error that a logit may have: it is then the relative error of a weight. */
const allowedError = 1e-4;
/** Candidates are left out that have less than this share of the largest weight together. */
const allowedLoss = 1e-6;

function dot(a: EfmPair['source'], b: EfmPair['source']): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!;
  return sum;
}

/**
 * Relative logits from products: with s = t / (1 - t), -s x0.(x1 - b) - s^2 |x1 - b|^2 / 2
 * = s / (1 - t) (xt.b - xt.x1) - s^2 / 2 (|b|^2 - |x1|^2).
 */
function screened({ source, target, time }: EfmPair, rows: Uint32Array, screen: Screen) {
  const slope = time / (1 - time);
  const ends = { source: dot(source, source), cross: dot(source, target), target: dot(target, target) };
  const own = (1 - time) * ends.cross + time * ends.target;
  const logits = new Float64Array(rows.length);
  for (let j = 0; j < rows.length; j++) {
    const along = screen.products[j]! - own;
    logits[j] = (slope / (1 - time)) * along - 0.5 * slope ** 2 * (screen.squares[rows[j]!]! - ends.target);
  }
  const square = (1 - time) ** 2 * ends.source + 2 * time * (1 - time) * ends.cross + time ** 2 * ends.target;
  const norms = Math.sqrt(square) * screen.largestNorm;
  return { logits, error: (productError * norms * slope) / (1 - time) };
}

/**
 * The candidates with weight. Their logits are computed by differences in float64 where those from products may err by more than 1e-4, which
 * is at late times: there few candidates are left.
 * @param screen  `null`: all logits are computed by differences.
 */
export function weighCandidates(pair: EfmPair, { values, rows }: Candidates, screen: Screen | null): WeighedCandidates {
  const exactly = (row: number) => relativeLogit(pair, values, row);
  // At time 1 there is nothing to be weighed.
  if (pair.time >= 1) return { rows: new Uint32Array(), logits: new Float64Array() };
  if (screen === null) return { rows, logits: Float64Array.from(rows, exactly) };
  const { logits, error } = screened(pair, rows, screen);
  let least = 0;
  for (const logit of logits) least = Math.max(least, logit);
  // The largest may be overestimated, and a candidate underestimated.
  least += Math.log(allowedLoss / rows.length) - 2 * error;
  let count = 0;
  const kept = new Uint32Array(rows.length);
  // The logits that are kept move to the front.
  for (let j = 0; j < rows.length; j++) {
    if (logits[j]! < least) continue;
    kept[count] = rows[j]!;
    logits[count++] = logits[j]!;
  }
  const some = kept.subarray(0, count);
  return { rows: some, logits: error > allowedError ? Float64Array.from(some, exactly) : logits.subarray(0, count) };
}
