/** Means and covariances of rows that come in pieces, in float64. */
import { NumericalError, ShapeError } from '../errors.ts';
import { type DoubleProducts, hostDoubleProducts } from './double-products.ts';

/** Count, mean and scatter of some rows: all that later rows, or another such record, have to know of them. */
export interface Moments {
  readonly count: number;
  readonly dimensions: number;
  /** float64 [dimensions]. */
  readonly mean: Float64Array;
  /** Sum of (x - mean)(x - mean)^T over the rows, float64 [dimensions, dimensions]. */
  readonly scatter: Float64Array;
}

/** Moments of no rows. */
export function noMoments(dimensions: number): Moments {
  return {
    count: 0,
    dimensions,
    mean: new Float64Array(dimensions),
    scatter: new Float64Array(dimensions * dimensions),
  };
}

/**
 * Moments of the rows of both: with n = n1 + n2 and delta = mean2 - mean1, mean = mean1 + delta n2 / n and
 * scatter = scatter1 + scatter2 + delta delta^T n1 n2 / n.
 *
 * Source: [chan:83], pairwise updating.
 * @throws ShapeError if the dimensions differ.
 */
export function mergeMoments(first: Moments, second: Moments): Moments {
  const { dimensions } = first;
  if (second.dimensions !== dimensions) {
    throw new ShapeError({
      expected: `both moments to have ${dimensions} dimensions`,
      got: `${second.dimensions}`,
      where: 'numerics/moments mergeMoments',
    });
  }
  if (first.count === 0) return second;
  if (second.count === 0) return first;
  const count = first.count + second.count;
  const delta = second.mean.map((value, i) => value - first.mean[i]!);
  const weight = (first.count * second.count) / count;
  const scatter = new Float64Array(dimensions * dimensions);
  for (let i = 0; i < dimensions; i++) {
    const scaled = weight * delta[i]!;
    const start = i * dimensions;
    for (let j = 0; j < dimensions; j++) {
      scatter[start + j] = first.scatter[start + j]! + second.scatter[start + j]! + scaled * delta[j]!;
    }
  }
  return { count, dimensions, mean: first.mean.map((value, i) => value + delta[i]! * (second.count / count)), scatter };
}

/** Sample covariance scatter / (count - 1), float64 [dimensions, dimensions]. @throws NumericalError for fewer than two rows. */
export function covarianceOf({ count, scatter }: Moments): Float64Array {
  if (count >= 2) return scatter.map((value) => value / (count - 1));
  throw new NumericalError({
    expected: 'at least two rows for a covariance',
    got: String(count),
    where: 'numerics/moments covarianceOf',
  });
}

/**
 * Means of columns in two passes, so that they are off by rounding of the mean only, and not of a long sum.
 * @param rows  [count, dimensions].
 */
export function meanOfRows(rows: Float32Array | Float64Array, dimensions: number): Float64Array {
  const count = rows.length / dimensions;
  const mean = new Float64Array(dimensions);
  const pass = () => {
    const sums = new Float64Array(dimensions);
    for (let start = 0; start < rows.length; start += dimensions) {
      for (let j = 0; j < dimensions; j++) sums[j] = sums[j]! + (rows[start + j]! - mean[j]!);
    }
    for (let j = 0; j < dimensions; j++) mean[j] = mean[j]! + sums[j]! / count;
  };
  pass();
  pass();
  return mean;
}

/**
 * Moments of one piece, by two passes.
 * @param rows  [count, dimensions].
 */
export async function momentsOfRows(
  rows: Float32Array | Float64Array,
  { dimensions, products = hostDoubleProducts }: { readonly dimensions: number; readonly products?: DoubleProducts },
): Promise<Moments> {
  const count = rows.length / dimensions;
  if (count === 0) return noMoments(dimensions);
  const mean = meanOfRows(rows, dimensions);
  // Columns side by side: products are sums over a row.
  const columns = new Float64Array(rows.length);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < dimensions; j++) columns[j * count + i] = rows[i * dimensions + j]! - mean[j]!;
  }
  return { count, dimensions, mean, scatter: await products(columns, columns, count) };
}

/** Takes rows in pieces of any length. */
export interface MomentAccumulator {
  /** @throws ShapeError if the numbers do not fill whole rows; NumericalError if one is not finite. */
  add(rows: Float32Array | Float64Array): Promise<void>;
  /** Moments of all rows that were added. The accumulator is used up. */
  finish(): Promise<Moments>;
}

export interface MomentOptions {
  readonly dimensions: number;
  /** Rows whose scatter is one product; they are gathered first, so that the result does not depend on the pieces. Default 512. */
  readonly blockRows?: number;
  /** Products for the scatter; plain JavaScript by default. */
  readonly products?: DoubleProducts;
}

/** @throws NumericalError naming the row and the dimension of the first number that is not finite. */
export function checkFinite(
  rows: Float32Array | Float64Array,
  {
    dimensions,
    firstRow = 0,
    where,
  }: { readonly dimensions: number; readonly firstRow?: number; readonly where: string },
): void {
  // A sum is finite if all terms are and it does not overflow: one test for most pieces.
  let sum = 0;
  for (let i = 0; i < rows.length; i++) sum += rows[i]!;
  if (Number.isFinite(sum)) return;
  const at = rows.findIndex((value: number) => !Number.isFinite(value));
  if (at < 0) return;
  throw new NumericalError({
    expected: 'finite features',
    got: `${rows[at]} at row ${firstRow + Math.floor(at / dimensions)}, dimension ${at % dimensions}`,
    where,
  });
}

/** An accumulator without rows. Memory: three matrices of [dimensions, dimensions] and one block. */
export function createMomentAccumulator({
  dimensions,
  blockRows = 512,
  products = hostDoubleProducts,
}: MomentOptions): MomentAccumulator {
  let total = noMoments(dimensions);
  const block = new Float64Array(blockRows * dimensions);
  let filled = 0;
  const flush = async () => {
    const piece = await momentsOfRows(block.subarray(0, filled), { dimensions, products });
    total = mergeMoments(total, piece);
    filled = 0;
  };
  return {
    async add(rows) {
      if (rows.length % dimensions !== 0) {
        throw new ShapeError({
          expected: `\`rows\` to be [count, dimensions] with ${dimensions} dimensions`,
          got: `${rows.length} numbers`,
          where: 'numerics/moments add',
        });
      }
      checkFinite(rows, { dimensions, firstRow: total.count + filled / dimensions, where: 'numerics/moments add' });
      for (let start = 0; start < rows.length; ) {
        const end = Math.min(rows.length, start + block.length - filled);
        block.set(rows.subarray(start, end), filled);
        filled += end - start;
        start = end;
        if (filled === block.length) await flush();
      }
    },
    async finish() {
      if (filled > 0) await flush();
      return total;
    },
  };
}
