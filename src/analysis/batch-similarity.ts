/**
 * How similar normal noise becomes to normal data by choosing partners within a batch. The similarity of two vectors is
 * <x, y> = 1/d sum_k x_k y_k, which is 1 on average for equal ones and 0 for independent ones.
 */
import { ShapeError } from '../errors.ts';
import { solveAssignment } from '../numerics/assignment.ts';

/** Vectors in rows. */
export interface VectorRows {
  /** Row-major [count, dimensions]. */
  readonly values: Float32Array;
  readonly count: number;
  readonly dimensions: number;
}

/** Similarities of `size` sources (rows) with as many targets (columns). */
export interface SimilarityMatrix {
  /** Row-major [size, size]. */
  readonly values: Float32Array;
  readonly size: number;
}

/**
 * The bound sqrt(2 log n / d) of E max_i <x1_i, x0> over n targets, for standard normal vectors of d dimensions.
 *
 * Source: [matityahu:24], eq. (24), where <x1_i, x0> is taken to be N(0, 1/d), as it becomes for large d. It holds for every d: given
 * x0 the similarities are normal with variance |x0|^2 / d^2, which bounds the mean maximum by sqrt(2 log n) |x0| / d, and E |x0| <= sqrt d.
 */
export function maximalSimilarityBound(batch: number, dimensions: number): number {
  return Math.sqrt((2 * Math.log(batch)) / dimensions);
}

/**
 * The batch from which the bound allows a similarity: n = exp(d s^2 / 2), so that s = 1/2 needs n = e^(d/8).
 *
 * Source: [matityahu:24], eq. (24) and (25).
 */
export function leastBatchFor(similarity: number, dimensions: number): number {
  return Math.exp((dimensions * similarity ** 2) / 2);
}

/**
 * All similarities of sources with targets.
 * @throws ShapeError if the two have not the same shape.
 */
export function similarityMatrix(sources: VectorRows, targets: VectorRows): SimilarityMatrix {
  const { count, dimensions } = sources;
  if (targets.count !== count || targets.dimensions !== dimensions) {
    throw new ShapeError({
      expected: `\`targets\` to be [count, dimensions] = [${count}, ${dimensions}]`,
      got: `[${targets.count}, ${targets.dimensions}]`,
      where: 'analysis/batch-similarity',
    });
  }
  const values = new Float32Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) values[i * count + j] = product(sources, targets, i, j) / dimensions;
  }
  return { values, size: count };
}

/** Scalar product of two rows; four sums at once, which processors add in parallel. */
function product({ values: x, dimensions: d }: VectorRows, { values: y }: VectorRows, i: number, j: number): number {
  const [a, b] = [i * d, j * d];
  let [first, second, third, fourth] = [0, 0, 0, 0];
  const whole = d - (d % 4);
  for (let k = 0; k < whole; k += 4) {
    first += x[a + k]! * y[b + k]!;
    second += x[a + k + 1]! * y[b + k + 1]!;
    third += x[a + k + 2]! * y[b + k + 2]!;
    fourth += x[a + k + 3]! * y[b + k + 3]!;
  }
  for (let k = whole; k < d; k++) first += x[a + k]! * y[b + k]!;
  return first + second + (third + fourth);
}

/**
 * Mean over all sources and over all disjoint batches of `batch` targets of the largest similarity: what a source reaches that may
 * take the best target, whatever the others take; an estimate of E max_i <x1_i, x0> in [matityahu:24], eq. (22).
 * @throws ShapeError if the batch does not divide the matrix.
 */
export function meanMaximalSimilarity({ values, size }: SimilarityMatrix, batch: number): number {
  checkBatch(size, batch);
  let sum = 0;
  for (let start = 0; start < values.length; start += batch) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let k = start; k < start + batch; k++) largest = Math.max(largest, values[k]!);
    sum += largest;
  }
  return sum / (values.length / batch);
}

/**
 * Mean similarity of the pairs that batch optimal transport makes: in each of the disjoint batches of `batch` sources and targets the
 * pairing with the largest sum, which is also that with the least sum of squared distances. Source: [tong:24]; the quantity
 * E <x1*, x0> of [matityahu:24], eq. (5).
 * @throws ShapeError if the batch does not divide the matrix.
 */
export function meanPairedSimilarity({ values, size }: SimilarityMatrix, batch: number): number {
  checkBatch(size, batch);
  const block = new Float32Array(batch * batch);
  let sum = 0;
  for (let start = 0; start < size; start += batch) {
    for (let i = 0; i < batch; i++) {
      const from = (start + i) * size + start;
      block.set(values.subarray(from, from + batch), i * batch);
    }
    sum += solveAssignment({ values: block, rows: batch, columns: batch }, { maximize: true }).total;
  }
  return sum / size;
}

function checkBatch(size: number, batch: number): void {
  if (Number.isInteger(batch) && batch >= 1 && size % batch === 0) return;
  throw new ShapeError({
    expected: `\`batch\` to divide the ${size} sources`,
    got: String(batch),
    where: 'analysis/batch-similarity',
  });
}
