/**
 * The target of empirical flow matching at one point: a weighted mean of the velocities to x1 and to some other data, in place of that
 * to x1 alone. Which data stand beside x1 is said in `efm-bank.ts`, how whole batches are computed in `efm-batch.ts`.
 */
import type { FloatArray } from './closed-form-field.ts';

/** A source, its target and the time at which the path between them is looked at. */
export interface EfmPair {
  /** x0: [elements]. */
  readonly source: FloatArray;
  /** x1: [elements]. */
  readonly target: FloatArray;
  /** In [0, 1]. */
  readonly time: number;
}

/** The data beside x1: rows of a matrix, none of them x1's own. */
export interface Candidates {
  /** [any, elements]. */
  readonly values: FloatArray;
  readonly rows: Uint32Array;
}

/** Weights of a bank. */
export interface BankWeights {
  /** lambda of the candidates: float64 [candidates]; 0 for what would not show in a float64 sum. */
  readonly others: Float64Array;
  /** lambda of x1, in (0, 1]. */
  readonly target: number;
  /** 1 / sum_j lambda_j^2: as many data of equal weight would scatter as much. */
  readonly effective: number;
}

/** Weights below this share of the largest do not show in a float64 sum. */
export const negligibleLogit = Math.log(1e-16);

/**
 * The logit of a candidate b less that of x1, at xt = (1 - t) x0 + t x1: from -|xt - t b|^2 / (2 (1 - t)^2) and xt - t x1 = (1 - t) x0
 * follows -s x0.(x1 - b) - s^2 |x1 - b|^2 / 2 with s = t / (1 - t): no digits are lost as t goes to 1.
 * @param row  of `values`.
 */
export function relativeLogit({ source, target, time }: EfmPair, values: FloatArray, row: number): number {
  let along = 0;
  let squares = 0;
  for (let k = 0, at = row * target.length; k < target.length; k++, at++) {
    const difference = target[k]! - values[at]!;
    along += source[k]! * difference;
    squares += difference * difference;
  }
  // A copy of x1 weighs as x1 does, at time 1 too.
  if (squares === 0) return 0;
  const slope = time / (1 - time);
  return -slope * (along + 0.5 * slope * squares);
}

/** Softmax of the candidates' relative logits and x1's, which is 0. */
export function bankWeights(logits: Float64Array): BankWeights {
  let largest = 0;
  for (const logit of logits) largest = Math.max(largest, logit);
  const target = Math.exp(-largest);
  let total = target;
  let squares = target * target;
  const others = logits.map((logit) => {
    const weight = logit - largest < negligibleLogit ? 0 : Math.exp(logit - largest);
    total += weight;
    squares += weight * weight;
    return weight;
  });
  return {
    others: others.map((weight) => weight / total),
    target: target / total,
    effective: (total * total) / squares,
  };
}

/**
 * What the bank adds to the velocity x1 - x0 of flow matching: sum_j lambda_j (b_j - x1) / (1 - t), float64 [elements].
 * 0 without candidates and at time 1, where the weight of all but x1 has gone.
 */
export function bankCorrection(
  { target, time }: EfmPair,
  { values, rows }: Candidates,
  weights: Float64Array,
): Float64Array {
  const sum = new Float64Array(target.length);
  if (time >= 1) return sum;
  const weighed = rows.filter((_, j) => weights[j] !== 0);
  const scales = weights.filter((weight) => weight !== 0).map((weight) => weight / (1 - time));
  let j = 0;
  for (; j + 4 <= weighed.length; j += 4) addFour(sum, { target, values, rows: weighed, scales, first: j });
  for (; j < weighed.length; j++) {
    const scale = scales[j]!;
    for (let k = 0, at = weighed[j]! * target.length; k < target.length; k++, at++) {
      sum[k]! += scale * (values[at]! - target[k]!);
    }
  }
  return sum;
}

/** Four candidates in one pass over the sum, which takes less than half of the time of four passes. */
function addFour(
  sum: Float64Array,
  {
    target,
    values,
    rows,
    scales,
    first,
  }: {
    readonly target: FloatArray;
    readonly values: FloatArray;
    readonly rows: Uint32Array;
    readonly scales: Float64Array;
    readonly first: number;
  },
): void {
  const { length } = target;
  const [a, b, c, d] = [scales[first]!, scales[first + 1]!, scales[first + 2]!, scales[first + 3]!];
  const total = a + b + c + d;
  let atA = rows[first]! * length;
  let atB = rows[first + 1]! * length;
  let atC = rows[first + 2]! * length;
  let atD = rows[first + 3]! * length;
  for (let k = 0; k < length; k++) {
    const others = a * values[atA++]! + b * values[atB++]! + c * values[atC++]! + d * values[atD++]!;
    sum[k]! += others - total * target[k]!;
  }
}

/**
 * The target of empirical flow matching is u = sum_j lambda_j (b_j - xt) / (1 - t), lambda = softmax_j(-|xt - t b_j|^2 / (2 (1 - t)^2)), over a
 * bank b_1 = x1, b_2, ..., b_M. Source: [bertrand:25], proposition 2 and algorithm 1. As (x1 - xt) / (1 - t) = x1 - x0, it is
 * (x1 - x0) + sum_j lambda_j (b_j - x1) / (1 - t): with M = 1 flow matching itself, with all data the exact field.
 *
 * Unbiased: let x1 be datum i with its probability lambda_i(x, t) given xt = x, and the others drawn evenly without replacement. Given the
 * set that results, x1 is each member with its weight in that set alone, as every member leaves the others equally likely; so
 * u = E[(x1 - x) / (1 - t) | x, bank], whose mean over banks is u*(x, t), and whose variance falls as the bank grows.
 * @returns the sum that is added to x1 - x0, and the weights.
 */
export function efmCorrection(pair: EfmPair, candidates: Candidates) {
  const logits = Float64Array.from(candidates.rows, (row) => relativeLogit(pair, candidates.values, row));
  const weights = bankWeights(logits);
  return { correction: bankCorrection(pair, candidates, weights.others), weights };
}
