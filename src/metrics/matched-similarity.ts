/** Similarity of images that belong together, such as those of two models from the same seeds. */
import { NumericalError, ShapeError } from '../errors.ts';
import type { RowSet } from '../numerics/distance-tiles.ts';
import { type DoubleProducts, hostDoubleProducts } from '../numerics/double-products.ts';
import { estimateMean } from '../numerics/estimate.ts';
import { checkSameNetwork, describeNetwork, type FeatureSet, rowsOfFeatures } from './feature-set.ts';
import type { ProductOptions } from './feature-statistics.ts';
import { describeConvention, type Metric } from './metric.ts';

const tileRows = 512;

/** Cosines of matched pairs, and of all others. */
export interface MatchedSimilarity {
  /** Mean cosine of row i of one set with row i of the other, with its standard error. */
  readonly matched: Metric;
  /** Standard deviation of those cosines. */
  readonly deviation: number;
  /** Mean cosine of row i with every row j != i: what images have in common without belonging together. */
  readonly unmatched: Metric;
  readonly unmatchedDeviation: number;
  /** Cosine of each pair, float64 [pairs]. */
  readonly cosines: Float64Array;
}

/** Rows over their norms. */
function directions({ values, count, elements }: RowSet, name: string): Float64Array {
  const unit = new Float64Array(values.length);
  for (let i = 0; i < count; i++) {
    let squares = 0;
    for (let k = 0; k < elements; k++) squares += values[i * elements + k]! ** 2;
    if (squares === 0) {
      throw new NumericalError({
        expected: `features that are not all 0 in \`${name}\``,
        got: `zeros in row ${i}`,
        where: 'metrics/matched-similarity',
      });
    }
    const norm = Math.sqrt(squares);
    for (let k = 0; k < elements; k++) unit[i * elements + k] = values[i * elements + k]! / norm;
  }
  return unit;
}

/** Mean and deviation of the cosines of all pairs with i != j, and the mean of each row. */
async function unmatchedCosines(a: Float64Array, b: Float64Array, s: { elements: number; products: DoubleProducts }) {
  const count = a.length / s.elements;
  const byRow = new Float64Array(count);
  const byColumn = new Float64Array(count);
  let squares = 0;
  for (let i0 = 0; i0 < count; i0 += tileRows) {
    const i1 = Math.min(count, i0 + tileRows);
    const p = await s.products(a.subarray(i0 * s.elements, i1 * s.elements), b, s.elements);
    for (let i = i0; i < i1; i++) {
      for (let j = 0; j < count; j++) {
        if (i === j) continue;
        const cosine = p[(i - i0) * count + j]!;
        byRow[i] = byRow[i]! + cosine / (count - 1);
        byColumn[j] = byColumn[j]! + cosine / (count - 1);
        squares += cosine * cosine;
      }
    }
  }
  const pairs = count * (count - 1);
  const rows = estimateMean(byRow);
  const variance = (squares - pairs * rows.mean ** 2) / (pairs - 1);
  // A mean over pairs of rows and columns: to first order its error is those of the two sets of means.
  const standardError = Math.hypot(rows.standardError, estimateMean(byColumn).standardError);
  return { mean: rows.mean, standardError, deviation: Math.sqrt(Math.max(0, variance)) };
}

/**
 * Cosine similarity of matched pairs beside that of unmatched ones.
 *
 * Source: [briq:26], table 3: images that models make of the same noise, and shuffled pairs.
 * @throws ShapeError if the sets have not equally many rows, at least two; ConfigError if networks differ; NumericalError for zeros.
 */
export async function matchedSimilarity(
  first: FeatureSet,
  second: FeatureSet,
  { products = hostDoubleProducts }: ProductOptions = {},
): Promise<MatchedSimilarity> {
  checkSameNetwork(first, second);
  const [x, y] = [rowsOfFeatures(first), rowsOfFeatures(second)];
  const { count, elements } = x;
  if (y.count !== count || count < 2) {
    throw new ShapeError({
      expected: 'two sets of equally many images, at least two, that belong together row by row',
      got: `${count} and ${y.count}`,
      where: 'metrics/matched-similarity',
    });
  }
  const [a, b] = [directions(x, first.data), directions(y, second.data)];
  const cosines = Float64Array.from({ length: count }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < elements; k++) sum += a[i * elements + k]! * b[i * elements + k]!;
    return sum;
  });
  const matched = estimateMean(cosines);
  const unmatched = await unmatchedCosines(a, b, { elements, products });
  const convention = describeConvention({ features: describeNetwork(first), similarity: 'cosine' });
  const metric = (name: string, { mean, standardError }: { mean: number; standardError: number }): Metric => ({
    name,
    value: mean,
    unit: 'cosine',
    samples: { pairs: name === 'matched-similarity' ? count : count * (count - 1) },
    standardError,
    convention,
  });
  return {
    matched: metric('matched-similarity', matched),
    deviation: matched.standardError * Math.sqrt(count),
    unmatched: metric('unmatched-similarity', unmatched),
    unmatchedDeviation: unmatched.deviation,
    cosines,
  };
}
