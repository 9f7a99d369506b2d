import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NumericalError, ShapeError } from '../../src/errors.ts';
import { type DoubleProducts, hostDoubleProducts } from '../../src/numerics/double-products.ts';
import { mulberry32Array } from '../../src/numerics/mulberry32.ts';
import { singularValues } from '../../src/numerics/singular-values.ts';
import { stream } from '../../src/numerics/stream.ts';
import { symmetricEigenvalues } from '../../src/numerics/symmetric-eigenvalues.ts';
import { tridiagonalEigenvalues } from '../../src/numerics/tridiagonal-eigenvalues.ts';

interface GoldenSpectrum {
  readonly seed: number;
  readonly rows: number;
  readonly columns: number;
  readonly singularValues: readonly number[];
  readonly eigenvalues?: readonly number[];
}

const goldens: { readonly spectra: readonly GoldenSpectrum[] } = JSON.parse(
  readFileSync(new URL('../golden/frechet.json', import.meta.url), 'utf8'),
);

function normals(count: number, index: number): Float64Array {
  const random = stream(1, 'spectra', index);
  return Float64Array.from({ length: count }, () => random.normal());
}

/** Largest difference over the largest expected value. */
function worst(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(got).toHaveLength(expected.length);
  let [difference, scale] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(got[i]! - expected[i]!));
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  return difference / scale;
}

describe('double products', () => {
  it('are sums over the elements in order, for sizes that no tile divides', async () => {
    for (const [rows, columns, elements] of [
      [1, 1, 1],
      [3, 5, 7],
      [4, 8, 3],
      [9, 2, 10],
    ] as const) {
      const [a, b] = [normals(rows * elements, rows), normals(columns * elements, columns)];
      const got = await hostDoubleProducts(a, b, elements);
      const expected = Float64Array.from({ length: rows * columns }, (_, at) => {
        let sum = 0;
        for (let k = 0; k < elements; k++)
          sum += a[Math.floor(at / columns) * elements + k]! * b[(at % columns) * elements + k]!;
        return sum;
      });
      expect(got).toEqual(expected);
    }
  });
});

describe('singular values', () => {
  it.each(goldens.spectra)('of $rows x $columns agree with LAPACK', async (golden) => {
    const { seed, rows, columns } = golden;
    const matrix = mulberry32Array(seed, rows * columns).map((u) => 2 * u - 1);
    const before = matrix.slice();
    expect(worst(await singularValues(matrix, { rows, columns }), golden.singularValues)).toBeLessThan(1e-14);
    expect(matrix).toEqual(before);
  });

  it('are those of the transpose, and scale with the matrix', async () => {
    const a = normals(150 * 80, 3);
    const t = Float64Array.from(a, (_, at) => a[(at % 150) * 80 + Math.floor(at / 150)]!);
    const values = await singularValues(a, { rows: 150, columns: 80 });
    expect(worst(await singularValues(t, { rows: 80, columns: 150 }), values)).toBeLessThan(1e-14);
    for (const scale of [1e150, 1e-150]) {
      const scaled = await singularValues(
        a.map((value) => value * scale),
        { rows: 150, columns: 80 },
      );
      expect(
        worst(
          scaled.map((value) => value / scale),
          values,
        ),
      ).toBeLessThan(1e-14);
    }
  });

  it('have the sum of squares of the matrix, and use the products that are given', async () => {
    let calls = 0;
    const products: DoubleProducts = (a, b, elements) => {
      calls++;
      return hostDoubleProducts(a, b, elements);
    };
    const a = normals(300 * 260, 4);
    const values = await singularValues(a, { rows: 300, columns: 260, products });
    const squares = (all: Float64Array) => all.reduce((sum, value) => sum + value * value, 0);
    expect(squares(values) / squares(a)).toBeCloseTo(1, 12);
    expect(calls).toBeGreaterThan(0);
    expect([...values]).toEqual([...values].sort((x, y) => y - x));
  });

  it('of a matrix without full rank are 0 to rounding, not to its root', async () => {
    // 120 x 100 of rank 7: the 93 others would be 1e-8 as roots of eigenvalues.
    const [left, right] = [normals(120 * 7, 5), normals(100 * 7, 6)];
    const values = await singularValues(await hostDoubleProducts(left, right, 7), { rows: 120, columns: 100 });
    expect(values[6]! / values[0]!).toBeGreaterThan(0.1);
    expect(values[7]! / values[0]!).toBeLessThan(1e-14);
  });

  it('of diagonal, zero and empty matrices', async () => {
    const diagonal = new Float64Array(300 * 300);
    for (let i = 0; i < 300; i++) diagonal[i * 301] = i % 2 ? -i : i;
    const values = await singularValues(diagonal, { rows: 300, columns: 300 });
    const expected = Float64Array.from({ length: 300 }, (_, i) => 299 - i);
    expect(worst(values, expected)).toBeLessThan(1e-15);
    expect([...(await singularValues(new Float64Array(12), { rows: 3, columns: 4 }))]).toEqual([0, 0, 0]);
    expect(await singularValues(new Float64Array(0), { rows: 0, columns: 4 })).toHaveLength(0);
  });

  it('refuse other sizes and numbers that are not finite', async () => {
    await expect(singularValues(new Float64Array(5), { rows: 2, columns: 3 })).rejects.toThrow(ShapeError);
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const matrix = normals(30, 7);
      matrix[17] = wrong;
      await expect(singularValues(matrix, { rows: 5, columns: 6 })).rejects.toThrow(NumericalError);
    }
  });
});

describe('eigenvalues of a symmetric matrix', () => {
  it.each(goldens.spectra.filter(({ eigenvalues }) => eigenvalues !== undefined))(
    'of $rows rows agree with LAPACK',
    ({ seed, rows: n, eigenvalues }) => {
      const m = mulberry32Array(seed, n * n).map((u) => 2 * u - 1);
      const symmetric = m.map((value, at) => (value + m[(at % n) * n + Math.floor(at / n)]!) / 2);
      expect(worst(symmetricEigenvalues(symmetric, n), eigenvalues!)).toBeLessThan(1e-14);
    },
  );

  it('of a a^T are the squares of the singular values of a', async () => {
    const a = normals(90 * 120, 8);
    const eigenvalues = symmetricEigenvalues(await hostDoubleProducts(a, a, 120), 90).reverse();
    const values = await singularValues(a, { rows: 90, columns: 120 });
    expect(
      worst(
        eigenvalues,
        values.map((value) => value * value),
      ),
    ).toBeLessThan(1e-14);
  });

  it('sum to the trace, read the lower triangle only, and leave the matrix as it is', () => {
    const n = 33;
    const matrix = normals(n * n, 9);
    const other = matrix.map((value, at) => (at % n > Math.floor(at / n) ? Number.NaN : value));
    const copy = matrix.slice();
    const eigenvalues = symmetricEigenvalues(matrix, n);
    expect(matrix).toEqual(copy);
    expect(symmetricEigenvalues(other, n)).toEqual(eigenvalues);
    let trace = 0;
    for (let i = 0; i < n; i++) trace += matrix[i * n + i]!;
    expect(eigenvalues.reduce((sum, value) => sum + value, 0)).toBeCloseTo(trace, 11);
  });

  it('refuse other sizes and numbers that are not finite', () => {
    expect(() => symmetricEigenvalues(new Float64Array(8), 3)).toThrow(ShapeError);
    expect(() => symmetricEigenvalues(Float64Array.of(1, 0, Number.NaN, 2), 2)).toThrow(NumericalError);
  });
});

describe('eigenvalues of a tridiagonal matrix', () => {
  it('of the second difference are 2 - 2 cos(pi k / (n + 1))', () => {
    for (const n of [1, 2, 3, 10, 257]) {
      const got = tridiagonalEigenvalues(new Float64Array(n).fill(2), new Float64Array(n - 1).fill(-1));
      const expected = Float64Array.from({ length: n }, (_, k) => 2 - 2 * Math.cos((Math.PI * (k + 1)) / (n + 1)));
      expect(worst(got, expected)).toBeLessThan(1e-14);
    }
  });

  it('of Wilkinson matrices, whose pairs agree to many digits, and of one that falls apart', () => {
    const diagonal = Float64Array.from({ length: 21 }, (_, i) => Math.abs(i - 10));
    const wilkinson = tridiagonalEigenvalues(diagonal, new Float64Array(20).fill(1));
    // The largest two of W21+: 10.7461941829033..., equal to 14 digits.
    expect(wilkinson[20]).toBeCloseTo(10.7461941829034, 11);
    expect(Math.abs(wilkinson[20]! - wilkinson[19]!)).toBeLessThan(1e-13);
    expect([...tridiagonalEigenvalues([3, 1, 2], [0, 0])]).toEqual([1, 2, 3]);
  });

  it('refuse an off-diagonal of another length', () => {
    expect(() => tridiagonalEigenvalues([1, 2], [1, 2])).toThrow(ShapeError);
  });
});
