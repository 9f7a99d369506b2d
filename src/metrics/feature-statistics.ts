/** What a Fréchet distance has to know of a feature set: count, mean and a factor of the covariance. */
import { ConfigError, ShapeError } from '../errors.ts';
import { type DoubleProducts, hostDoubleProducts } from '../numerics/double-products.ts';
import { covarianceOf, createMomentAccumulator, type Moments, meanOfRows } from '../numerics/moments.ts';
import { semidefiniteFactor } from '../numerics/semidefinite-factor.ts';
import { type FeatureOrigin, type FeatureSet, rowsOfFeatures } from './feature-set.ts';

/** Mean and covariance of features. */
export interface FeatureStatistics extends FeatureOrigin {
  /** Images; the covariance is divided by count - 1. */
  readonly count: number;
  readonly dimensions: number;
  /** float64 [dimensions]. */
  readonly mean: Float64Array;
  /** Trace of the covariance. */
  readonly trace: number;
  /** F, float64 [rank, dimensions], with the covariance F^T F. */
  readonly factor: Float64Array;
}

/** Where the products of matrices are computed. */
export interface ProductOptions {
  /** Float64 products; plain JavaScript by default, the engine (`engineDoubleProducts`) is some 20 times faster. */
  readonly products?: DoubleProducts;
}

function originOf({ network, hash, data }: FeatureOrigin): FeatureOrigin {
  return { network, hash, data };
}

function checkCount(count: number, { data }: FeatureOrigin): void {
  if (count >= 2) return;
  throw new ConfigError({
    expected: `at least two images in \`${data}\`, as one has no covariance`,
    got: String(count),
    where: 'metrics/feature-statistics',
  });
}

function squaredNorm(values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return sum;
}

/** With no more images than dimensions the centred rows are the factor, without the rounding of a covariance. */
function statisticsOfFewRows(rows: Float32Array | Float64Array, dimensions: number, origin: FeatureOrigin) {
  const count = rows.length / dimensions;
  checkCount(count, origin);
  const mean = meanOfRows(rows, dimensions);
  const root = Math.sqrt(count - 1);
  const factor = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) factor[i] = (rows[i]! - mean[i % dimensions]!) / root;
  return { ...originOf(origin), count, dimensions, mean, trace: squaredNorm(factor), factor };
}

/**
 * Statistics of rows whose moments are known.
 * @throws ConfigError for fewer than two images.
 */
export async function statisticsOfMoments(
  moments: Moments,
  origin: FeatureOrigin,
  options: ProductOptions = {},
): Promise<FeatureStatistics> {
  checkCount(moments.count, origin);
  const { count, mean } = moments;
  return statisticsOfGaussian({ count, mean, covariance: covarianceOf(moments) }, origin, options);
}

/**
 * Statistics that are given as mean and covariance, such as those that others publish.
 * @throws ShapeError if the covariance does not fit the mean; NumericalError if its diagonal is negative or not finite.
 */
export async function statisticsOfGaussian(
  gaussian: { readonly count: number; readonly mean: Float64Array; readonly covariance: Float64Array },
  origin: FeatureOrigin,
  { products = hostDoubleProducts }: ProductOptions = {},
): Promise<FeatureStatistics> {
  const { count, mean, covariance } = gaussian;
  const dimensions = mean.length;
  const { factor } = await semidefiniteFactor(covariance, { n: dimensions, products });
  let trace = 0;
  for (let i = 0; i < dimensions; i++) trace += covariance[i * dimensions + i]!;
  return { ...originOf(origin), count, dimensions, mean, trace, factor };
}

/** Takes features in blocks of any length. */
export interface StatisticsAccumulator {
  /** @throws ShapeError if the numbers do not fill whole rows; NumericalError if one is not finite. */
  add(rows: Float32Array | Float64Array): Promise<void>;
  /** Statistics of all features that were added. The accumulator is used up. @throws ConfigError for fewer than two images. */
  finish(): Promise<FeatureStatistics>;
}

/**
 * Statistics of features that come in blocks; the result has the same bits however they are divided. The first `dimensions` rows are
 * kept, as the factor is made of them if there are no more; then means and scatter are enough.
 */
export function createStatistics(
  origin: FeatureOrigin & { readonly dimensions: number },
  { products = hostDoubleProducts }: ProductOptions = {},
): StatisticsAccumulator {
  const { dimensions } = origin;
  const moments = createMomentAccumulator({ dimensions, products });
  const few = new Float64Array(dimensions * dimensions);
  let count = 0;
  return {
    async add(rows) {
      if (rows.length % dimensions !== 0) {
        throw new ShapeError({
          expected: `features to be [count, ${dimensions}]`,
          got: `${rows.length} numbers`,
          where: 'metrics/feature-statistics add',
        });
      }
      if (count < dimensions) few.set(rows.subarray(0, (dimensions - count) * dimensions), count * dimensions);
      count += rows.length / dimensions;
      await moments.add(rows);
    },
    async finish() {
      if (count <= dimensions) return statisticsOfFewRows(few.subarray(0, count * dimensions), dimensions, origin);
      return statisticsOfMoments(await moments.finish(), origin, { products });
    },
  };
}

/**
 * Statistics of a feature set in memory.
 * @throws ConfigError for fewer than two images; NumericalError if a number is not finite.
 */
export async function statisticsOfFeatures(set: FeatureSet, options: ProductOptions = {}): Promise<FeatureStatistics> {
  const { count, elements: dimensions, values } = rowsOfFeatures(set);
  if (count <= dimensions) return statisticsOfFewRows(values, dimensions, set);
  const accumulator = createStatistics(set, options);
  await accumulator.add(values);
  return accumulator.finish();
}
