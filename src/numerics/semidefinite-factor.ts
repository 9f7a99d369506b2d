import { NumericalError, ShapeError } from '../errors.ts';
import { type DoubleProducts, hostDoubleProducts } from './double-products.ts';

/** Pivots that are taken before the rest of the matrix is brought up to date, by one product. */
const panel = 256;

/** A matrix as F^T F. */
export interface SemidefiniteFactor {
  /** F, float64 [rank, n]. */
  readonly factor: Float64Array;
  readonly rank: number;
}

/** What is left of the matrix: rows and columns `kept` of it, as of the panel's start. */
interface Rest {
  /** [size, size], symmetric. */
  readonly values: Float64Array;
  readonly kept: Int32Array;
  /** What is left on the diagonal, up to date; 0 where a pivot was taken. */
  readonly diagonal: Float64Array;
  readonly taken: Uint8Array;
}

function largestAt({ diagonal, taken }: Rest): number {
  let best = -1;
  for (let i = 0; i < diagonal.length; i++) {
    if (taken[i] === 0 && (best < 0 || diagonal[i]! > diagonal[best]!)) best = i;
  }
  return best;
}

/** The next row of F over the rest's columns: what is left of the pivot's column, over the root of the pivot. */
function takePivot(rest: Rest, pivot: number, rows: readonly Float64Array[]): Float64Array {
  const { values, diagonal, taken } = rest;
  const size = diagonal.length;
  const row = values.slice(pivot * size, (pivot + 1) * size);
  for (const earlier of rows) {
    const weight = earlier[pivot]!;
    if (weight === 0) continue;
    for (let i = 0; i < size; i++) row[i] = row[i]! - weight * earlier[i]!;
  }
  const root = Math.sqrt(diagonal[pivot]!);
  taken[pivot] = 1;
  for (let i = 0; i < size; i++) {
    row[i] = taken[i] === 0 ? row[i]! / root : 0;
    diagonal[i] = diagonal[i]! - row[i]! * row[i]!;
  }
  row[pivot] = root;
  return row;
}

/** The rest without the pivots that were taken, less the product of the panel's rows. */
async function withoutPanel(rest: Rest, rows: readonly Float64Array[], products: DoubleProducts): Promise<Rest> {
  const { values, taken } = rest;
  const size = taken.length;
  const open = Int32Array.from(taken.keys()).filter((i) => taken[i] === 0);
  const columns = new Float64Array(open.length * rows.length);
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k]!;
    for (let i = 0; i < open.length; i++) columns[i * rows.length + k] = row[open[i]!]!;
  }
  const left = await products(columns, columns, rows.length);
  for (let i = 0; i < open.length; i++) {
    const [from, to] = [open[i]! * size, i * open.length];
    for (let j = 0; j < open.length; j++) left[to + j] = values[from + open[j]!]! - left[to + j]!;
  }
  return {
    values: left,
    kept: open.map((i) => rest.kept[i]!),
    diagonal: Float64Array.from(open, (_, i) => left[i * open.length + i]!),
    taken: new Uint8Array(open.length),
  };
}

function checkDiagonal(matrix: Float64Array, n: number): Float64Array {
  if (matrix.length !== n * n) {
    throw new ShapeError({
      expected: `\`matrix\` to be [${n}, ${n}]`,
      got: `${matrix.length} numbers`,
      where: 'numerics/semidefinite-factor',
    });
  }
  const diagonal = Float64Array.from({ length: n }, (_, i) => matrix[i * n + i]!);
  const wrong = diagonal.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY));
  if (wrong < 0) return diagonal;
  throw new NumericalError({
    expected: 'the diagonal of a covariance to be finite and not negative',
    got: `${diagonal[wrong]} at ${wrong}`,
    where: 'numerics/semidefinite-factor',
  });
}

export interface FactorOptions {
  /** Rows of the matrix. */
  readonly n: number;
  /** Products for most of the work; plain JavaScript by default. */
  readonly products?: DoubleProducts;
}

/**
 * A symmetric positive semidefinite matrix S as F^T F, by Cholesky steps that each take the largest entry left on the diagonal.
 * They end where the largest is no more than n 2^-52 times that of S: the rest is rounding of a matrix of this rank. |S - F^T F|
 * is of that size, too.
 *
 * Source: [higham:02], section 10.3; 1/3 n^3 operations beside the products.
 * @param matrix  float64 [n, n].
 * @throws ShapeError if the matrix has not n^2 numbers; NumericalError if its diagonal is negative or not finite.
 */
export async function semidefiniteFactor(matrix: Float64Array, options: FactorOptions): Promise<SemidefiniteFactor> {
  const { n, products = hostDoubleProducts } = options;
  const diagonal = checkDiagonal(matrix, n);
  const least = n * Number.EPSILON * diagonal.reduce((most, value) => Math.max(most, value), 0);
  let rest: Rest = { values: matrix, kept: Int32Array.from(diagonal.keys()), diagonal, taken: new Uint8Array(n) };
  const factor = new Float64Array(n * n);
  let rank = 0;
  for (;;) {
    const rows: Float64Array[] = [];
    while (rows.length < panel) {
      const pivot = largestAt(rest);
      if (pivot < 0 || !(rest.diagonal[pivot]! > least)) break;
      rows.push(takePivot(rest, pivot, rows));
    }
    for (const row of rows) {
      for (let i = 0; i < row.length; i++) factor[rank * n + rest.kept[i]!] = row[i]!;
      rank++;
    }
    if (rows.length < panel) break;
    rest = await withoutPanel(rest, rows, products);
  }
  return { factor: factor.slice(0, rank * n), rank };
}
