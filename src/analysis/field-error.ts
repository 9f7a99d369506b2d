/** How far a velocity field is from another one at points of the path, time by time. */
import { ShapeError } from '../errors.ts';
import { type Estimate, estimateMean } from '../numerics/estimate.ts';

/** Consecutive pairs: numbers `first`, ..., `first + count - 1`. */
export interface PairRange {
  readonly first: number;
  readonly count: number;
}

/**
 * Velocities at points of the path of some pairs.
 * @param x      float32 [count, elements].
 * @param time   float64 [count].
 * @param pairs  whose points these are, for fields that depend on the pairs' labels.
 * @returns [count, elements], in latent units per unit time; further numbers are ignored.
 */
export type PairVelocity = (x: Float32Array, time: Float64Array, pairs: PairRange) => Promise<ArrayLike<number>>;

/** Two fields that are compared. */
export interface ComparedFields {
  readonly field: PairVelocity;
  /** The field that the errors are of, such as the exact one of the training set. */
  readonly reference: PairVelocity;
}

/** Sources and targets, rows aligned, and where on their paths the fields are compared. */
export interface FieldErrorPoints {
  /** float32 [pairs, elements]. */
  readonly source: Float32Array;
  /** float32 [pairs, elements]. */
  readonly target: Float32Array;
  readonly elements: number;
  /** Each in [0, 1), as the reference is asked at all of them. */
  readonly times: ArrayLike<number>;
}

export interface FieldErrorOptions {
  /** Points that are asked for at once; default 64. Where the pairs do not fill it, the last request is smaller. */
  readonly batch?: number;
  /** Called after each request of both fields. */
  readonly onProgress?: (done: number, count: number) => void;
}

/** Errors at one time; an estimate's values are means over a point's elements, one a pair. */
export interface FieldErrorAtTime {
  readonly time: number;
  /** Mean squared difference of the two velocities per element. */
  readonly error: Estimate;
  /** Mean square of the reference's velocity per element: what the error is to be compared with. */
  readonly referenceSquare: Estimate;
}

/** xt = source + time (target - source) of some pairs: float32 [count, elements], rounded as the path of training rounds. */
function pathPoints({ source, target, elements }: FieldErrorPoints, { first, count }: PairRange, time: number) {
  const x = new Float32Array(count * elements);
  const t = Math.fround(time);
  for (let i = 0, at = first * elements; i < x.length; i++, at++) {
    x[i] = source[at]! + Math.fround(Math.fround(target[at]! - source[at]!) * t);
  }
  return x;
}

/** Mean over the elements of a row of the squares of `value`. */
function meanSquare(row: number, elements: number, value: (i: number) => number): number {
  let sum = 0;
  for (let i = row * elements; i < (row + 1) * elements; i++) sum += value(i) ** 2;
  return sum / elements;
}

/** Errors of requests at one time, one entry a pair. */
interface PairErrors {
  readonly error: Float64Array;
  readonly referenceSquare: Float64Array;
}

/**
 * The mean squared error of a field against a reference at points xt = (1 - t) source + t target, for each time, with its standard error over
 * the pairs. With the exact field of the training set as reference and held-out targets it is the left figure 2 of [bertrand:25].
 *
 * Sums are float64; the same pairs are taken at all times.
 * @returns as many as there are times, in their order.
 * @throws ShapeError if sources and targets are not of one shape, or a field gives too few numbers.
 */
export async function fieldError(
  fields: ComparedFields,
  points: FieldErrorPoints,
  { batch = 64, onProgress = () => {} }: FieldErrorOptions = {},
): Promise<FieldErrorAtTime[]> {
  const pairs = checkedPairs(points);
  const times = Array.from(points.times);
  const requests = times.length * Math.ceil(pairs / batch);
  const results: FieldErrorAtTime[] = [];
  let done = 0;
  for (const time of times) {
    const errors = { error: new Float64Array(pairs), referenceSquare: new Float64Array(pairs) };
    for (let first = 0; first < pairs; first += batch) {
      await compareAt(fields, points, { time, range: { first, count: Math.min(batch, pairs - first) }, errors });
      onProgress(++done, requests);
    }
    results.push({
      time,
      error: estimateMean(errors.error),
      referenceSquare: estimateMean(errors.referenceSquare),
    });
  }
  return results;
}

/** Asks both fields for the points of a range of pairs, and takes down their errors. */
async function compareAt(
  { field, reference }: ComparedFields,
  points: FieldErrorPoints,
  { time, range, errors }: { readonly time: number; readonly range: PairRange; readonly errors: PairErrors },
): Promise<void> {
  const { elements } = points;
  const x = pathPoints(points, range, time);
  const at = new Float64Array(range.count).fill(Math.fround(time));
  const got = await field(x, at, range);
  const expected = await reference(x, at, range);
  for (const velocity of [got, expected]) checkVelocity(velocity.length, x.length);
  for (let row = 0; row < range.count; row++) {
    errors.error[range.first + row] = meanSquare(row, elements, (i) => got[i]! - expected[i]!);
    errors.referenceSquare[range.first + row] = meanSquare(row, elements, (i) => expected[i]!);
  }
}

/** Number of pairs. */
function checkedPairs({ source, target, elements }: FieldErrorPoints): number {
  if (source.length === target.length && target.length > 0 && target.length % elements === 0) {
    return target.length / elements;
  }
  throw new ShapeError({
    expected: `\`source\` and \`target\` to be [pairs, elements] of ${elements} elements`,
    got: `${source.length} and ${target.length} numbers`,
    where: 'analysis/field-error',
  });
}

function checkVelocity(got: number, least: number): void {
  if (got >= least) return;
  throw new ShapeError({
    expected: `a field to give at least ${least} numbers`,
    got: `${got}`,
    where: 'analysis/field-error',
  });
}
