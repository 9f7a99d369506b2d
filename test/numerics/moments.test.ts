import { describe, expect, it } from 'vitest';
import { NumericalError, ShapeError } from '../../src/errors.ts';
import { type DoubleProducts, hostDoubleProducts } from '../../src/numerics/double-products.ts';
import {
  covarianceOf,
  createMomentAccumulator,
  mergeMoments,
  momentsOfRows,
  noMoments,
} from '../../src/numerics/moments.ts';
import { semidefiniteFactor } from '../../src/numerics/semidefinite-factor.ts';
import { stream } from '../../src/numerics/stream.ts';

function rows(count: number, dimensions: number, { mean = 0, deviation = 1, index = 0 } = {}): Float64Array {
  const random = stream(2, 'moments', index);
  return Float64Array.from({ length: count * dimensions }, () => mean + deviation * random.normal());
}

/** Covariance by the textbook, in two passes with sums of small numbers. */
function covarianceByHand(x: ArrayLike<number>, d: number): Float64Array {
  const n = x.length / d;
  const mean = Array.from({ length: d }, (_, k) => {
    const first = x[k]!;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += x[i * d + k]! - first;
    return first + sum / n;
  });
  return Float64Array.from({ length: d * d }, (_, at) => {
    const [j, k] = [Math.floor(at / d), at % d];
    let sum = 0;
    for (let i = 0; i < n; i++) sum += (x[i * d + j]! - mean[j]!) * (x[i * d + k]! - mean[k]!);
    return sum / (n - 1);
  });
}

async function momentsInPieces(x: Float64Array, d: number, lengths: readonly number[]) {
  const accumulator = createMomentAccumulator({ dimensions: d, blockRows: 16 });
  let at = 0;
  for (let piece = 0; at < x.length; piece++) {
    const end = Math.min(x.length, at + lengths[piece % lengths.length]! * d);
    await accumulator.add(x.subarray(at, end));
    at = end;
  }
  return accumulator.finish();
}

describe('moments', () => {
  it('are those of two passes, also far from 0', async () => {
    const d = 5;
    for (const mean of [0, 1000, 1e6]) {
      const x = rows(333, d, { mean });
      const expected = covarianceByHand(x, d);
      const got = covarianceOf(await momentsInPieces(x, d, [7]));
      // The mean holds 16 digits, so the covariance of numbers near 1e6 holds about 10.
      for (const [i, value] of got.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-14 * (100 + mean));
    }
  });

  it('have the same bits however the rows come', async () => {
    const x = rows(100, 3);
    const whole = await momentsInPieces(x, 3, [100]);
    for (const lengths of [[1], [16], [17], [5, 40, 2], [99, 1]]) {
      expect(await momentsInPieces(x, 3, lengths)).toEqual(whole);
    }
  });

  it('merge to those of all rows, in any order to rounding', async () => {
    const parts = [rows(10, 4), rows(25, 4, { mean: 3, index: 1 }), rows(1, 4, { index: 2 })];
    const moments = await Promise.all(parts.map((x) => momentsOfRows(x, { dimensions: 4 })));
    const all = await momentsOfRows(Float64Array.from(parts.flatMap((x) => [...x])), { dimensions: 4 });
    for (const order of [
      [0, 1, 2],
      [2, 0, 1],
      [1, 2, 0],
    ]) {
      const merged = order.reduce((sum, i) => mergeMoments(sum, moments[i]!), noMoments(4));
      expect(merged.count).toBe(36);
      for (const [i, value] of merged.mean.entries()) expect(value).toBeCloseTo(all.mean[i]!, 13);
      for (const [i, value] of merged.scatter.entries()) expect(value).toBeCloseTo(all.scatter[i]!, 11);
    }
    expect(() => mergeMoments(noMoments(3), noMoments(4))).toThrow(ShapeError);
  });

  it('of equal rows have no scatter, and of one row no covariance', async () => {
    const constant = new Float64Array(40).fill(0.1);
    const { mean, scatter } = await momentsOfRows(constant, { dimensions: 4 });
    expect(mean).toEqual(new Float64Array(4).fill(0.1));
    expect(scatter).toEqual(new Float64Array(16));
    expect(() => covarianceOf({ ...noMoments(2), count: 1 })).toThrow(NumericalError);
  });

  it('name the row and dimension that is not finite, over all pieces', async () => {
    const accumulator = createMomentAccumulator({ dimensions: 3, blockRows: 4 });
    await accumulator.add(rows(10, 3));
    const wrong = rows(5, 3);
    wrong[7] = Number.NaN;
    await expect(accumulator.add(wrong)).rejects.toThrow('got NaN at row 12, dimension 1');
    const infinite = rows(5, 3);
    [infinite[0], infinite[4]] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    await expect(accumulator.add(infinite)).rejects.toThrow('got Infinity at row 10, dimension 0');
    await expect(accumulator.add(new Float64Array(4))).rejects.toThrow(ShapeError);
  });
});

describe('the factor of a semidefinite matrix', () => {
  /** F^T F of a factor. */
  async function squared(factor: Float64Array, n: number): Promise<Float64Array> {
    const rank = factor.length / n;
    const columns = Float64Array.from(
      { length: factor.length },
      (_, at) => factor[(at % rank) * n + Math.floor(at / rank)]!,
    );
    return hostDoubleProducts(columns, columns, rank);
  }

  it.each([
    [1, 1],
    [5, 5],
    [40, 13],
    [300, 300],
    [300, 270],
    [350, 256],
  ])('of %d rows has its rank %d, and gives it back', async (n, rank) => {
    const x = rows(n, rank, { index: n + rank });
    const matrix = await hostDoubleProducts(x, x, rank);
    let calls = 0;
    const products: DoubleProducts = (...arrays) => {
      calls++;
      return hostDoubleProducts(...arrays);
    };
    const found = await semidefiniteFactor(matrix, { n, products });
    expect(found.rank).toBe(rank);
    expect(calls > 0).toBe(n > 256);
    const back = await squared(found.factor, n);
    const largest = Math.max(...Array.from({ length: n }, (_, i) => matrix[i * n + i]!));
    const error = matrix.reduce((most, value, i) => Math.max(most, Math.abs(value - back[i]!)), 0);
    expect(error / largest).toBeLessThan(1e-13);
  });

  it('of zeros has rank 0', async () => {
    expect((await semidefiniteFactor(new Float64Array(9), { n: 3 })).rank).toBe(0);
  });

  it('refuses a diagonal that no covariance has', async () => {
    await expect(semidefiniteFactor(Float64Array.of(1, 0, 0, -1), { n: 2 })).rejects.toThrow('got -1 at 1');
    await expect(semidefiniteFactor(Float64Array.of(Number.NaN), { n: 1 })).rejects.toThrow(NumericalError);
    await expect(semidefiniteFactor(new Float64Array(3), { n: 2 })).rejects.toThrow(ShapeError);
  });
});
