import { ConfigError } from '../errors.ts';
import { fitLine, type LineFit } from '../numerics/fit-line.ts';
import { permutation } from '../numerics/permutation.ts';
import { stream } from '../numerics/stream.ts';
import { type FeatureSet, featureChoices, rowsOfFeatures } from './feature-set.ts';
import { type FeatureStatistics, statisticsOfFeatures } from './feature-statistics.ts';
import { type FrechetOptions, frechetDistance, frechetError, selectRows } from './frechet-distance.ts';
import { describeConvention, type Metric } from './metric.ts';

/** Distances of subsets, and the line through them. */
export interface FrechetExtrapolation {
  /** Counts of images, ascending; the last is all. */
  readonly counts: readonly number[];
  /** Fréchet distance of a random subset of each count. */
  readonly distances: readonly number[];
  /** distance = intercept + slope / count. */
  readonly line: LineFit;
}

export interface ExtrapolationOptions extends FrechetOptions {
  /** Counts on the line. Default 15. */
  readonly points?: number;
  /** Least count; by default a tenth of the images, or two if that is less. */
  readonly least?: number;
}

function countsUpTo(count: number, { points, least }: { readonly points: number; readonly least: number }): number[] {
  const valid = Number.isInteger(points) && points >= 3 && Number.isInteger(least) && least >= 2;
  if (!valid || count - least < points - 1) {
    throw new ConfigError({
      expected: `at least 3 \`points\` and, for ${points} of them, counts from \`least\` >= 2 to ${count} that differ`,
      got: `points ${points}, least ${least}`,
      where: 'metrics/frechet-extrapolation',
      remedy: 'fewer points, or more images',
    });
  }
  return Array.from({ length: points }, (_, i) => Math.round(least + ((count - least) * i) / (points - 1)));
}

/**
 * Fréchet distances of random subsets of the generated images, and the line in 1 / count through them: its value at 0 is an estimate
 * of the distance of infinitely many images. The bias that falls as 1 / count is removed on the side of the generated images only.
 *
 * Source: [chong:20], algorithm 1: subsets of evenly spaced sizes, an ordinary least squares line.
 * @throws ConfigError if the counts do not fit.
 */
export async function extrapolateFrechet(
  generated: FeatureSet,
  reference: FeatureStatistics,
  options: ExtrapolationOptions = {},
): Promise<FrechetExtrapolation> {
  const { count } = rowsOfFeatures(generated);
  const { points = 15, least = Math.max(2, Math.floor(count / 10)), seed = 0 } = options;
  const counts = countsUpTo(count, { points, least });
  const distances: number[] = [];
  for (const [i, size] of counts.entries()) {
    const rows = permutation(count, stream(seed, 'metrics-subset', i))
      .subarray(0, size)
      .sort();
    const statistics = await statisticsOfFeatures(selectRows(generated, rows), options);
    distances.push((await frechetDistance(statistics, reference, options)).distance);
  }
  const inverse = counts.map((size) => 1 / size);
  return { counts, distances, line: fitLine(inverse, distances) };
}

/**
 * The extrapolated distance as a metric. It may be below 0 where the true one is small.
 *
 * Its standard error joins two independent parts: that of the line, from the choice of subsets, and that of the distance of all
 * images (a jackknife over `groups`), which all subsets share and the line's scatter does not show. With `groups` null it is that of
 * the line alone, which is too small.
 */
export async function frechetExtrapolationMetric(
  generated: FeatureSet,
  reference: FeatureStatistics,
  options: ExtrapolationOptions = {},
): Promise<Metric> {
  const { groups = 10, seed = 0 } = options;
  const { counts, line } = await extrapolateFrechet(generated, reference, options);
  const shared = groups === null ? 0 : await frechetError(generated, reference, { ...options, groups, seed });
  return {
    name: 'frechet-distance-infinite',
    value: line.intercept,
    unit: 'squared feature units',
    samples: { generated: counts.at(-1)!, reference: reference.count },
    standardError: Math.hypot(line.interceptError, shared),
    convention: describeConvention({
      ...featureChoices(reference),
      'reference-count': reference.count,
      counts: `${counts[0]}..${counts.at(-1)}`,
      points: counts.length,
      seed,
      covariance: 'n-1',
    }),
  };
}
