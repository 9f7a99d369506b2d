import { ShapeError } from '../errors.ts';
import { tridiagonalEigenvalues } from './tridiagonal-eigenvalues.ts';

/** The row that is being reduced, and scratch memory. */
interface Reduction {
  /** Lower triangle in rows of n; overwritten. */
  readonly a: Float64Array;
  readonly n: number;
  /** The reflection is I - tau v v^T. */
  readonly v: Float64Array;
  readonly w: Float64Array;
}

/**
 * Sets v and returns tau and beta so that (I - tau v v^T) x = beta e_last, for x the row's entries before the diagonal.
 * tau is 0 where there is nothing to reflect. Source: [golub:13], algorithm 5.1.1.
 */
function reflect({ a, n, v }: Reduction, row: number): { readonly tau: number; readonly beta: number } {
  const start = row * n;
  const last = row - 1;
  let largest = 0;
  for (let j = 0; j < last; j++) largest = Math.max(largest, Math.abs(a[start + j]!));
  const alpha = a[start + last]!;
  if (largest === 0) return { tau: 0, beta: alpha };
  const scale = Math.max(largest, Math.abs(alpha));
  let squares = 0;
  for (let j = 0; j <= last; j++) squares += (a[start + j]! / scale) ** 2;
  const beta = -Math.sign(alpha || 1) * scale * Math.sqrt(squares);
  for (let j = 0; j < last; j++) v[j] = a[start + j]! / (alpha - beta);
  v[last] = 1;
  return { tau: (beta - alpha) / beta, beta };
}

/** w = tau A v - (tau^2 / 2) (v^T A v) v over the leading `size` rows, reading the lower triangle once. */
function multiply({ a, n, v, w }: Reduction, size: number, tau: number): void {
  w.fill(0, 0, size);
  for (let i = 0; i < size; i++) {
    const start = i * n;
    const vi = v[i]!;
    let sum = a[start + i]! * vi;
    for (let j = 0; j < i; j++) {
      const entry = a[start + j]!;
      sum += entry * v[j]!;
      w[j] = w[j]! + entry * vi;
    }
    w[i] = w[i]! + sum;
  }
  let inner = 0;
  for (let i = 0; i < size; i++) inner += w[i]! * v[i]!;
  for (let i = 0; i < size; i++) w[i] = tau * (w[i]! - (tau / 2) * inner * v[i]!);
}

/** A <- A - v w^T - w v^T over the leading `size` rows: the reflection from both sides. */
function update({ a, n, v, w }: Reduction, size: number): void {
  for (let i = 0; i < size; i++) {
    const start = i * n;
    const [vi, wi] = [v[i]!, w[i]!];
    for (let j = 0; j <= i; j++) a[start + j] = a[start + j]! - vi * w[j]! - wi * v[j]!;
  }
}

/**
 * All eigenvalues of a symmetric matrix, ascending: Householder reflections make it tridiagonal, implicit QR steps diagonal.
 * Each is off by a small multiple of 2^-52 times the largest in size.
 *
 * Source: [golub:13], algorithms 8.3.1 and 8.3.3. About 4/3 n^3 operations in one thread.
 * @param matrix  float64 [n, n]; only the lower triangle is read.
 * @param n       rows.
 * @returns float64 [n].
 * @throws ShapeError if the matrix has not n^2 numbers; NumericalError if one is not finite.
 */
export function symmetricEigenvalues(matrix: Float64Array, n: number): Float64Array {
  if (matrix.length !== n * n) {
    throw new ShapeError({
      expected: `\`matrix\` to be [${n}, ${n}]`,
      got: `${matrix.length} numbers`,
      where: 'numerics/symmetric-eigenvalues',
    });
  }
  const reduction: Reduction = { a: matrix.slice(), n, v: new Float64Array(n), w: new Float64Array(n) };
  const diagonal = new Float64Array(n);
  const offDiagonal = new Float64Array(Math.max(0, n - 1));
  // From the last row up: what a step reads lies in one piece before the diagonal.
  for (let row = n - 1; row > 0; row--) {
    const { tau, beta } = reflect(reduction, row);
    offDiagonal[row - 1] = beta;
    diagonal[row] = reduction.a[row * n + row]!;
    if (tau === 0) continue;
    multiply(reduction, row, tau);
    update(reduction, row);
  }
  if (n > 0) diagonal[0] = reduction.a[0]!;
  return tridiagonalEigenvalues(diagonal, offDiagonal);
}
