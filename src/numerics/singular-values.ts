import { ShapeError } from '../errors.ts';
import { type DoubleProducts, hostDoubleProducts } from './double-products.ts';
import { tridiagonalEigenvalues } from './tridiagonal-eigenvalues.ts';

/** Columns that are reduced before the rest of the matrix is brought up to date, by one product. */
const panel = 64;
/** A rest with fewer numbers than this is not worth a call of the products that were given. */
const smallRest = 128 * 128;

/**
 * The matrix on its way to bidiagonal form. Within a panel it is stored as it was at the panel's start; its true value is
 * a - left right^T, where the columns of `left` and `right` are (u_k, z_k) and (y_k, v_k) in turn, `filled` so far.
 */
interface Reduction {
  /** [rows, columns], rows >= columns; overwritten. */
  readonly a: Float64Array;
  readonly rows: number;
  readonly columns: number;
  /** [rows, 2 panel]. */
  readonly left: Float64Array;
  /** [columns, 2 panel]. */
  readonly right: Float64Array;
  filled: number;
  /** Whether a reflection of this panel has changed anything; those of a diagonal matrix do not. */
  changed: boolean;
}

const width = 2 * panel;

function inner(a: Float64Array, b: Float64Array, { at, bt, count }: { at: number; bt: number; count: number }): number {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += a[at + k]! * b[bt + k]!;
  return sum;
}

/** Column p from row p on, up to date. */
function currentColumn({ a, rows, columns, left, right, ...state }: Reduction, p: number): Float64Array {
  const count = state.changed ? state.filled : 0;
  const x = new Float64Array(rows - p);
  for (let i = p; i < rows; i++) {
    x[i - p] = a[i * columns + p]! - inner(left, right, { at: i * width, bt: p * width, count });
  }
  return x;
}

/** Row p right of the diagonal, up to date. */
function currentRow({ a, columns, left, right, ...state }: Reduction, p: number): Float64Array {
  const count = state.changed ? state.filled : 0;
  const x = new Float64Array(columns - p - 1);
  for (let j = p + 1; j < columns; j++) {
    x[j - p - 1] = a[p * columns + j]! - inner(left, right, { at: p * width, bt: j * width, count });
  }
  return x;
}

/**
 * Replaces x by u with u[0] = 1 such that (I - tau u u^T) x = beta e_first; tau is 0, and u is 0, where there is nothing to reflect.
 * Source: [golub:13], algorithm 5.1.1.
 */
function reflect(x: Float64Array): { readonly tau: number; readonly beta: number } {
  const alpha = x[0]!;
  let tail = 0;
  for (let i = 1; i < x.length; i++) tail = Math.max(tail, Math.abs(x[i]!));
  if (tail === 0) {
    x.fill(0);
    return { tau: 0, beta: alpha };
  }
  const scale = Math.max(tail, Math.abs(alpha));
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += (x[i]! / scale) ** 2;
  const beta = (alpha > 0 ? -scale : scale) * Math.sqrt(squares);
  for (let i = 1; i < x.length; i++) x[i] = x[i]! / (alpha - beta);
  x[0] = 1;
  return { tau: (beta - alpha) / beta, beta };
}

/** f^T u for the filled columns of a factor f, from one of its rows on. */
function factorTimes(factor: Float64Array, u: Float64Array, { from, filled }: { from: number; filled: number }) {
  const sums = new Float64Array(filled);
  for (let i = 0; i < u.length; i++) {
    const start = (from + i) * width;
    const ui = u[i]!;
    for (let k = 0; k < filled; k++) sums[k] = sums[k]! + factor[start + k]! * ui;
  }
  return sums;
}

/** a^T u over rows p.. and columns p + 1..; four rows at once, so that the sums are read and written less often. */
function transposedTimes({ a, rows, columns }: Reduction, p: number, u: Float64Array): Float64Array {
  const count = columns - p - 1;
  const sums = new Float64Array(count);
  let i = p;
  for (; i + 4 <= rows; i += 4) {
    const u0 = u[i - p]!;
    const u1 = u[i - p + 1]!;
    const u2 = u[i - p + 2]!;
    const u3 = u[i - p + 3]!;
    const a0 = i * columns + p + 1;
    const a1 = a0 + columns;
    const a2 = a1 + columns;
    const a3 = a2 + columns;
    for (let j = 0; j < count; j++) {
      sums[j] = sums[j]! + a[a0 + j]! * u0 + a[a1 + j]! * u1 + a[a2 + j]! * u2 + a[a3 + j]! * u3;
    }
  }
  for (; i < rows; i++) {
    const start = i * columns + p + 1;
    const ui = u[i - p]!;
    for (let j = 0; j < count; j++) sums[j] = sums[j]! + a[start + j]! * ui;
  }
  return sums;
}

/** a v over rows and columns p + 1.. */
function times({ a, rows, columns }: Reduction, p: number, v: Float64Array): Float64Array {
  const count = v.length;
  const whole = count - (count % 4);
  const sums = new Float64Array(rows - p - 1);
  for (let i = p + 1; i < rows; i++) {
    const start = i * columns + p + 1;
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let j = 0; j < whole; j += 4) {
      s0 += a[start + j]! * v[j]!;
      s1 += a[start + j + 1]! * v[j + 1]!;
      s2 += a[start + j + 2]! * v[j + 2]!;
      s3 += a[start + j + 3]! * v[j + 3]!;
    }
    for (let j = whole; j < count; j++) s0 += a[start + j]! * v[j]!;
    sums[i - p - 1] = s0 + s1 + (s2 + s3);
  }
  return sums;
}

/** Writes a column into a factor, from one of its rows on. */
function setColumn(factor: Float64Array, values: Float64Array, { from, column }: { from: number; column: number }) {
  for (let i = 0; i < values.length; i++) factor[(from + i) * width + column] = values[i]!;
}

/** values_i <- tau (values_i - (factor row i).sums): what the panel's earlier steps have changed. */
function correct(values: Float64Array, factor: Float64Array, s: { from: number; sums: Float64Array; tau: number }) {
  const count = s.sums.length;
  for (let i = 0; i < values.length; i++) {
    const change = inner(factor, s.sums, { at: (s.from + i) * width, bt: 0, count });
    values[i] = s.tau * (values[i]! - change);
  }
}

/** Reflects column p, and leaves (u, y) with y = tau a^T u to be subtracted. @returns the entry on the diagonal. */
function reduceColumn(reduction: Reduction, p: number): number {
  const { left, right, filled } = reduction;
  const u = currentColumn(reduction, p);
  const { tau, beta } = reflect(u);
  if (tau !== 0 && p + 1 < reduction.columns) {
    const y = transposedTimes(reduction, p, u);
    correct(y, right, { from: p + 1, sums: factorTimes(left, u, { from: p, filled }), tau });
    reduction.changed = true;
    setColumn(left, u, { from: p, column: filled });
    setColumn(right, y, { from: p + 1, column: filled });
  }
  reduction.filled++;
  return beta;
}

/** Reflects row p, and leaves (z, v) with z = tau a v to be subtracted. @returns the entry beside the diagonal. */
function reduceRow(reduction: Reduction, p: number): number {
  const { left, right, filled } = reduction;
  const v = currentRow(reduction, p);
  const { tau, beta } = reflect(v);
  if (tau !== 0) {
    const z = times(reduction, p, v);
    correct(z, left, { from: p + 1, sums: factorTimes(right, v, { from: p + 1, filled }), tau });
    reduction.changed = true;
    setColumn(left, z, { from: p + 1, column: filled });
    setColumn(right, v, { from: p + 1, column: filled });
  }
  reduction.filled++;
  return beta;
}

/** Subtracts what the panel has left from rows and columns `from`.. */
async function applyPanel(reduction: Reduction, from: number, products: DoubleProducts): Promise<void> {
  const { a, rows, columns, left, right, changed } = reduction;
  reduction.filled = 0;
  reduction.changed = false;
  if (!changed) return;
  const count = columns - from;
  const small = (rows - from) * count <= smallRest;
  const [l, r] = [left.slice(from * width), right.slice(from * width)];
  const change = await (small ? hostDoubleProducts : products)(l, r, width);
  for (let i = from; i < rows; i++) {
    const [to, at] = [i * columns + from, (i - from) * count];
    for (let j = 0; j < count; j++) a[to + j] = a[to + j]! - change[at + j]!;
  }
  left.fill(0);
  right.fill(0);
}

/** Diagonal and upper diagonal of the bidiagonal form. Source: [dongarra:89], over [golub:13], algorithm 5.4.2. */
async function bidiagonalise(a: Float64Array, { rows, columns, products }: Required<SingularValueOptions>) {
  const [left, right] = [new Float64Array(rows * width), new Float64Array(columns * width)];
  const reduction: Reduction = { a, rows, columns, left, right, filled: 0, changed: false };
  const diagonal = new Float64Array(columns);
  const beside = new Float64Array(Math.max(0, columns - 1));
  for (let p = 0; p < columns; p++) {
    diagonal[p] = reduceColumn(reduction, p);
    if (p + 1 < columns) beside[p] = reduceRow(reduction, p);
    if ((p + 1) % panel === 0 && p + 1 < columns) await applyPanel(reduction, p + 1, products);
  }
  return { diagonal, beside };
}

function transposed(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const result = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = matrix[i * columns + j]!;
  }
  return result;
}

export interface SingularValueOptions {
  readonly rows: number;
  readonly columns: number;
  /** Products for half of the work; plain JavaScript by default. */
  readonly products?: DoubleProducts;
}

/**
 * All singular values of a matrix, descending: Householder reflections from both sides make it bidiagonal, and the singular
 * values s of a bidiagonal matrix are half of the eigenvalues -s, s of a tridiagonal one with zeros on its diagonal.
 * Each is off by a small multiple of 2^-52 times the largest. The roots of the eigenvalues of a a^T would be off by 2^-26 where
 * they are small, which a rank-deficient matrix has many of.
 *
 * Source: [golub:65], section 3; in panels as in [dongarra:89]. 8/3 n^3 operations for n columns and rows.
 * @param matrix  float64 [rows, columns].
 * @returns float64 [min(rows, columns)].
 * @throws ShapeError if the matrix has another size; NumericalError if a number is not finite.
 */
export async function singularValues(matrix: Float64Array, options: SingularValueOptions): Promise<Float64Array> {
  const { rows, columns, products = hostDoubleProducts } = options;
  if (matrix.length !== rows * columns) {
    throw new ShapeError({
      expected: `\`matrix\` to be [${rows}, ${columns}]`,
      got: `${matrix.length} numbers`,
      where: 'numerics/singular-values',
    });
  }
  const tall = rows >= columns;
  const a = tall ? matrix.slice() : transposed(matrix, rows, columns);
  const { diagonal, beside } = await bidiagonalise(a, {
    rows: tall ? rows : columns,
    columns: tall ? columns : rows,
    products,
  });
  const n = diagonal.length;
  const path = Float64Array.from({ length: Math.max(0, 2 * n - 1) }, (_, i) => (i % 2 ? beside : diagonal)[i >> 1]!);
  const eigenvalues = tridiagonalEigenvalues(new Float64Array(2 * n), path);
  return eigenvalues
    .subarray(n)
    .map((value) => Math.max(0, value))
    .reverse();
}
