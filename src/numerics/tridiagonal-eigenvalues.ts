import { NumericalError, ShapeError } from '../errors.ts';

/** Sweeps allowed for an eigenvalue; two suffice on average. */
const mostSweeps = 60;

/** The eigenvalue of [[a, b], [b, c]] that is nearer to c: Wilkinson's shift. */
function wilkinsonShift(a: number, b: number, c: number): number {
  const half = (a - c) / 2;
  const root = Math.sqrt(half * half + b * b);
  return c - (b * b) / (half >= 0 ? half + root : half - root);
}

/**
 * One implicit QR step on rows lo..hi: the rotations that make T - shift upper triangular, applied to T from both sides.
 * The bulge z beside the band is chased to the end. Source: [golub:13], algorithm 8.3.2.
 */
function sweep(diagonal: Float64Array, beside: Float64Array, { lo, hi }: { lo: number; hi: number }): void {
  let x = diagonal[lo]! - wilkinsonShift(diagonal[hi - 1]!, beside[hi - 1]!, diagonal[hi]!);
  let z = beside[lo]!;
  for (let k = lo; k < hi; k++) {
    const radius = Math.sqrt(x * x + z * z);
    const [cos, sin] = radius === 0 ? [1, 0] : [x / radius, z / radius];
    if (k > lo) beside[k - 1] = radius;
    const [a, b, c] = [diagonal[k]!, beside[k]!, diagonal[k + 1]!];
    const moved = sin * (c - a) + 2 * cos * b;
    diagonal[k] = a + sin * moved;
    diagonal[k + 1] = c - sin * moved;
    x = cos * moved - b;
    beside[k] = x;
    if (k + 1 === hi) continue;
    z = sin * beside[k + 1]!;
    beside[k + 1] = cos * beside[k + 1]!;
  }
}

function scaleOf(diagonal: ArrayLike<number>, offDiagonal: ArrayLike<number>): number {
  let largest = 0;
  for (const values of [diagonal, offDiagonal]) {
    for (let i = 0; i < values.length; i++) {
      const size = Math.abs(values[i]!);
      if (Number.isFinite(size)) largest = Math.max(largest, size);
      else
        throw new NumericalError({
          expected: 'a finite tridiagonal matrix',
          got: `${values[i]} at ${i} of its ${values === diagonal ? 'diagonal' : 'off-diagonal'}`,
          where: 'numerics/tridiagonal-eigenvalues',
        });
    }
  }
  return largest;
}

/**
 * All eigenvalues of a symmetric tridiagonal matrix T, ascending, by implicit QR steps with Wilkinson's shifts: each is off by
 * a small multiple of 2^-52 |T|, also where many are equal or 0.
 *
 * Source: [golub:13], algorithm 8.3.3. About 2 n^2 rotations for n rows.
 * @param diagonal     n numbers.
 * @param offDiagonal  n - 1 numbers.
 * @returns float64 [n].
 * @throws ShapeError if the lengths do not fit; NumericalError if a number is not finite.
 */
export function tridiagonalEigenvalues(diagonal: ArrayLike<number>, offDiagonal: ArrayLike<number>): Float64Array {
  const n = diagonal.length;
  if (offDiagonal.length !== Math.max(0, n - 1)) {
    throw new ShapeError({
      expected: `\`offDiagonal\` to be [${Math.max(0, n - 1)}]`,
      got: `[${offDiagonal.length}]`,
      where: 'numerics/tridiagonal-eigenvalues',
    });
  }
  const scale = scaleOf(diagonal, offDiagonal);
  if (scale === 0) return new Float64Array(n);
  // With entries up to 1, squares do not overflow, and "small beside the matrix" is a number.
  const d = Float64Array.from(diagonal, (value) => value / scale);
  const e = Float64Array.from(offDiagonal, (value) => value / scale);
  const negligible = Number.EPSILON / 2;
  let hi = n - 1;
  let sweeps = 0;
  while (hi > 0) {
    if (Math.abs(e[hi - 1]!) <= negligible) {
      hi--;
      sweeps = 0;
      continue;
    }
    let lo = hi - 1;
    while (lo > 0 && Math.abs(e[lo - 1]!) > negligible) lo--;
    sweep(d, e, { lo, hi });
    sweeps++;
    if (sweeps <= mostSweeps) continue;
    throw new NumericalError({
      expected: `an eigenvalue after ${mostSweeps} sweeps`,
      got: `${e[hi - 1]! * scale} beside the diagonal at ${hi} of ${n}`,
      where: 'numerics/tridiagonal-eigenvalues',
    });
  }
  return d.map((value) => value * scale).sort();
}
