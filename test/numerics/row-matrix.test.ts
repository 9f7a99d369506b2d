import { describe, expect, it } from 'vitest';
import { fitsRowMatrix, openRowMatrix } from '../../src/numerics/row-matrix.ts';
import { stream } from '../../src/numerics/stream.ts';

/** A matrix of normal numbers, points, and rows and weights for each: some rows often, some never, one point without any. */
function problem(elements: number, { count = 50, batch = 7, most = 40 } = {}) {
  const random = stream(3, 'row-matrix', elements);
  const matrix = openRowMatrix({ count, elements, batch });
  for (let i = 0; i < matrix.values.length; i++) matrix.values[i] = random.normal();
  const points = Float32Array.from({ length: batch * elements }, () => random.normal());
  const parts = Array.from({ length: batch }, (_, point) => {
    const rows = Uint32Array.from(
      { length: point === 2 ? 0 : 1 + random.below(most) },
      () => 2 * random.below(count / 2),
    );
    return { rows, weights: Float64Array.from(rows, () => random.normal()) };
  });
  return { matrix, points, parts };
}

/** Float32 sums of so many products err by no more than this, relative to the sum of their sizes. */
const tolerance = 2 ** -20;

describe('openRowMatrix', () => {
  // Less than a turn of the kernels' loops, whole turns, and turns with a rest.
  it.each([1, 3, 16, 17, 64, 95])('multiplies rows of %i elements with points', (elements) => {
    const { matrix, points, parts } = problem(elements);
    const products = matrix.products(
      points,
      parts.map(({ rows }) => rows),
    );
    expect(products.map(({ length }) => length)).toEqual(parts.map(({ rows }) => rows.length));
    for (const [point, { rows }] of parts.entries()) {
      for (const [j, row] of rows.entries()) {
        let [sum, size] = [0, 0];
        for (let k = 0; k < elements; k++) {
          const term = matrix.values[row * elements + k]! * points[point * elements + k]!;
          sum += term;
          size += Math.abs(term);
        }
        expect(Math.abs(products[point]![j]! - sum)).toBeLessThanOrEqual(tolerance * size);
      }
    }
  });

  it.each([1, 3, 16, 17, 64, 95])('adds rows of %i elements by weights', (elements) => {
    const { matrix, parts } = problem(elements);
    const sums = matrix.sums(parts);
    expect(sums.length).toBe(parts.length * elements);
    for (const [part, { rows, weights }] of parts.entries()) {
      for (let k = 0; k < elements; k++) {
        let [sum, size] = [0, 0];
        for (const [j, row] of rows.entries()) {
          const term = weights[j]! * matrix.values[row * elements + k]!;
          sum += term;
          size += Math.abs(term);
        }
        expect(Math.abs(sums[part * elements + k]! - sum)).toBeLessThanOrEqual(tolerance * size);
      }
    }
  });

  it('takes more pairs than its module is given at once, and fewer points than it has room for', () => {
    const { matrix, points } = problem(2, { count: 3000, batch: 4 });
    const rows = [0, 1].map((first) => Uint32Array.from({ length: 3000 }, (_, j) => (first + 7 * j) % 3000));
    const products = matrix.products(points.subarray(0, 4), rows);
    const sums = matrix.sums(rows.map((some) => ({ rows: some, weights: new Float64Array(3000).fill(1) })));
    expect(sums.length).toBe(4);
    for (const [point, some] of products.entries()) {
      // The sum of products is the product with the sum.
      const [x, y] = points.subarray(2 * point, 2 * point + 2);
      const total = some.reduce((sum, product) => sum + product, 0);
      expect(total).toBeCloseTo(x! * sums[2 * point]! + y! * sums[2 * point + 1]!, 3);
    }
  });

  it('does not depend on what was asked before', () => {
    const { matrix, points, parts } = problem(20);
    const rows = parts.map((part) => part.rows);
    const products = matrix.products(points, rows).map((some) => some.slice());
    const sums = matrix.sums(parts);
    matrix.products(
      points.map((x) => -x),
      rows.toReversed(),
    );
    expect(matrix.sums(parts)).toEqual(sums);
    expect(matrix.products(points, rows)).toEqual(products);
  });

  it('is for matrices that fit into the memory of a module', () => {
    expect(fitsRowMatrix({ count: 10_000, elements: 3072, batch: 128 })).toBe(true);
    expect(fitsRowMatrix({ count: 2 ** 20, elements: 1024, batch: 1 })).toBe(false);
  });
});
