import { describe, expect, it } from 'vitest';
import {
  leastBatchFor,
  maximalSimilarityBound,
  meanMaximalSimilarity,
  meanPairedSimilarity,
  type SimilarityMatrix,
  similarityMatrix,
  type VectorRows,
} from '../../src/analysis/batch-similarity.ts';
import { ShapeError } from '../../src/errors.ts';
import { type Estimate, estimateMean } from '../../src/numerics/estimate.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { stream } from '../../src/numerics/stream.ts';
import { sortedPairing } from '../../src/numerics/transport-1d.ts';
import { normalDistribution } from '../numerics/statistics-of-samples.ts';
import { permutations } from '../numerics/transport-problems.ts';

function vectors(index: number, count: number, dimensions: number): VectorRows {
  const words = stream(5, 'similarity-test', index);
  const seeds = Uint32Array.from({ length: count }, () => words.uint32());
  return { values: normalsFromSeeds(seeds, dimensions), count, dimensions };
}

const matrixOf = (index: number, count: number, dimensions: number) =>
  similarityMatrix(vectors(2 * index, count, dimensions), vectors(2 * index + 1, count, dimensions));

/** Mean of the largest of n standard normals: the integral of 1 - F^n over x > 0 less that of F^n over x < 0, by the trapezoidal rule. */
function meanOfLargest(n: number): number {
  const step = 1e-3;
  let sum = 0;
  for (let x = -10; x <= 10; x += step) {
    const below = normalDistribution(x) ** n;
    sum += step * (x > 0 ? 1 - below : -below);
  }
  return sum;
}

/** Mean length of a standard normal vector, sqrt 2 Gamma((d + 1)/2) / Gamma(d/2), by the recursion of Gamma from d = 1. */
function meanLength(dimensions: number): number {
  let length = Math.sqrt(2 / Math.PI);
  // E|x_d| E|x_(d+1)| = d.
  for (let d = 1; d < dimensions; d++) length = d / length;
  return length;
}

/** Largest sum of the pairs of a block on the diagonal, over all pairings. */
function bestPairing({ values, size }: SimilarityMatrix, start: number, batch: number): number {
  const sumOf = (order: readonly number[]) =>
    order.reduce((sum, j, i) => sum + values[(start + i) * size + start + j]!, 0);
  return Math.max(...permutations(batch).map(sumOf));
}

describe('similarity', () => {
  it('is the scalar product over the dimensions', () => {
    const rows = (values: readonly number[]) => ({ values: Float32Array.from(values), count: 2, dimensions: 5 });
    const x = rows([1, 2, 3, 4, 5, 0, 1, 0, 1, 0]);
    const y = rows([1, 1, 1, 1, 1, 2, 0, 0, 0, -1]);
    expect([...similarityMatrix(x, y).values]).toEqual([3, -0.6, 0.4, 0].map(Math.fround));
  });

  it('is 1 for equal vectors and 0 for independent ones, on average', () => {
    const x = vectors(100, 64, 200);
    const { values } = similarityMatrix(x, x);
    const own = estimateMean(Array.from({ length: 64 }, (_, i) => values[65 * i]!));
    expect(Math.abs(own.mean - 1)).toBeLessThan(4 * own.standardError);
    const others = estimateMean(Array.from({ length: 32 }, (_, i) => values[64 * i + i + 32]!));
    expect(Math.abs(others.mean)).toBeLessThan(4 * others.standardError);
  });

  it('wants equal shapes', () => {
    expect(() => similarityMatrix(vectors(0, 4, 3), vectors(1, 4, 2))).toThrow(ShapeError);
    expect(() => meanMaximalSimilarity(matrixOf(0, 4, 2), 3)).toThrow('`batch` to divide the 4 sources; got 3');
    expect(() => meanPairedSimilarity(matrixOf(0, 4, 2), 0)).toThrow(ShapeError);
  });
});

describe('the largest similarity', () => {
  it.each([
    [2, 8],
    [16, 8],
    [64, 8],
    [4, 3],
    [64, 50],
  ])('of %i targets in %i dimensions has the mean m(n) E|x| / d', (batch, dimensions) => {
    const means = Array.from({ length: 60 }, (_, index) =>
      meanMaximalSimilarity(matrixOf(index, 64, dimensions), batch),
    );
    const { mean, standardError }: Estimate = estimateMean(means);
    const expected = (meanOfLargest(batch) * meanLength(dimensions)) / dimensions;
    expect(Math.abs(mean - expected)).toBeLessThan(4 * standardError);
    expect(standardError).toBeLessThan(0.05 * expected);
  });

  it('has an exact mean below the bound for every n and d', () => {
    for (const batch of [2, 3, 10, 100, 1000, 10_000]) {
      for (const dimensions of [1, 2, 8, 64, 512]) {
        const exact = (meanOfLargest(batch) * meanLength(dimensions)) / dimensions;
        expect(exact).toBeLessThan(maximalSimilarityBound(batch, dimensions));
      }
    }
  });

  it('is the mean over all of a matrix that is given', () => {
    const values = Float32Array.of(1, 2, 3, 4, 8, 7, 6, 5, 0, 0, -1, -2, 1, 1, 1, 1);
    const matrix = { values, size: 4 };
    expect(meanMaximalSimilarity(matrix, 4)).toBe((4 + 8 + 0 + 1) / 4);
    expect(meanMaximalSimilarity(matrix, 2)).toBe((2 + 4 + 8 + 6 + 0 - 1 + 1 + 1) / 8);
    expect(meanMaximalSimilarity(matrix, 1)).toBe(values.reduce((a, b) => a + b, 0) / 16);
  });
});

describe('the similarity of optimal pairs', () => {
  it.each([1, 2, 3, 6])('in batches of %i is that of the best of all pairings', (batch) => {
    const matrix = matrixOf(7, 12, 4);
    let sum = 0;
    for (let start = 0; start < 12; start += batch) sum += bestPairing(matrix, start, batch);
    expect(meanPairedSimilarity(matrix, batch)).toBeCloseTo(sum / 12, 6);
  });

  it('in one dimension is that of the sorted pairing', () => {
    const [x, y] = [vectors(20, 300, 1), vectors(21, 300, 1)];
    const { partner } = sortedPairing(x.values, y.values);
    const sorted = partner.reduce((sum, j, i) => sum + x.values[i]! * y.values[j]!, 0) / 300;
    expect(meanPairedSimilarity(similarityMatrix(x, y), 300)).toBeCloseTo(sorted, 5);
  });

  it('grows with the batch, up to the largest similarity of the same batch', () => {
    const matrix = matrixOf(9, 128, 8);
    const batches = [2, 8, 32, 128];
    const paired = batches.map((batch) => meanPairedSimilarity(matrix, batch));
    expect(paired).toEqual([...paired].sort((a, b) => a - b));
    expect(paired.at(-1)!).toBeLessThan(meanMaximalSimilarity(matrix, 128));
  });
});

describe('the bound', () => {
  it('is sqrt(2 log n / d), and 1/2 at n = e^(d/8)', () => {
    expect(maximalSimilarityBound(1, 8)).toBe(0);
    expect(maximalSimilarityBound(1024, 512)).toBeCloseTo(Math.sqrt((20 * Math.LN2) / 512), 14);
    for (const dimensions of [8, 64, 512]) {
      expect(leastBatchFor(0.5, dimensions)).toBeCloseTo(Math.exp(dimensions / 8), 6 - dimensions);
      expect(maximalSimilarityBound(leastBatchFor(0.5, dimensions), dimensions)).toBeCloseTo(0.5, 12);
      expect(maximalSimilarityBound(leastBatchFor(1, dimensions), dimensions)).toBeCloseTo(1, 12);
    }
  });
});
