/** Fréchet distance of feature sets, as that of the Gaussians with their means and covariances. */
import { ConfigError } from '../errors.ts';
import { hostDoubleProducts } from '../numerics/double-products.ts';
import { jackknifeError } from '../numerics/jackknife.ts';
import { permutation } from '../numerics/permutation.ts';
import { singularValues } from '../numerics/singular-values.ts';
import { stream } from '../numerics/stream.ts';
import { checkSameNetwork, type FeatureSet, featureChoices } from './feature-set.ts';
import { type FeatureStatistics, type ProductOptions, statisticsOfFeatures } from './feature-statistics.ts';
import { describeConvention, type Metric } from './metric.ts';

/** A distance and its two parts. */
export interface FrechetDistance {
  /** Sum of the parts, in squared units of the features. */
  readonly distance: number;
  /** |mean1 - mean2|^2. */
  readonly means: number;
  /** tr(S1 + S2 - 2 (S1 S2)^(1/2)). */
  readonly covariances: number;
}

/**
 * Squared Fréchet (Wasserstein-2) distance of two Gaussians: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).
 *
 * With S1 = F1^T F1 and S2 = F2^T F2 the eigenvalues of S1 S2 that are not 0 are the squares of the singular values of F1 F2^T,
 * so the trace of the root is the sum of these. No root of a matrix and no complex number occurs, singular covariances need no
 * term added to their diagonal, and the result is off by rounding of the traces only. Rounding below 0 is cut off.
 *
 * Sources: [dowson:82]; [heusel:17], eq. (6).
 * @throws ConfigError if the features are of different networks.
 */
export async function frechetDistance(
  a: FeatureStatistics,
  b: FeatureStatistics,
  { products = hostDoubleProducts }: ProductOptions = {},
): Promise<FrechetDistance> {
  checkSameNetwork(a, b);
  let means = 0;
  for (let i = 0; i < a.dimensions; i++) means += (a.mean[i]! - b.mean[i]!) ** 2;
  const [rows, columns] = [a.factor.length / a.dimensions, b.factor.length / b.dimensions];
  let root = 0;
  if (rows > 0 && columns > 0) {
    const cross = await products(a.factor, b.factor, a.dimensions);
    for (const value of await singularValues(cross, { rows, columns, products })) root += value;
  }
  const covariances = Math.max(0, a.trace + b.trace - 2 * root);
  return { distance: means + covariances, means, covariances };
}

/** How a Fréchet distance of generated images is measured. */
export interface FrechetOptions extends ProductOptions {
  /** Groups of generated images that are left out in turn for the standard error; `null` for no error. Default 10. */
  readonly groups?: number | null;
  /** Seed of the division into groups. Default 0. */
  readonly seed?: number;
}

/** The rows of a feature set with the given numbers. */
export function selectRows(set: FeatureSet, rows: Uint32Array): FeatureSet {
  const { values, dimensions } = set;
  const selected =
    values instanceof Float32Array
      ? new Float32Array(rows.length * dimensions)
      : new Float64Array(rows.length * dimensions);
  for (const [i, row] of rows.entries()) {
    selected.set(values.subarray(row * dimensions, (row + 1) * dimensions), i * dimensions);
  }
  return { ...set, values: selected };
}

/** The statistic of a feature set without each of `groups` random groups. */
async function leaveGroupsOut(
  set: FeatureSet,
  { groups, seed }: { readonly groups: number; readonly seed: number },
  statistic: (part: FeatureSet) => Promise<number>,
): Promise<number[]> {
  const count = set.values.length / set.dimensions;
  if (!Number.isInteger(groups) || groups < 2 || groups * 2 > count) {
    throw new ConfigError({
      expected: `\`groups\` to be an integer in [2, ${Math.floor(count / 2)}], or null`,
      got: String(groups),
      where: 'metrics/frechet-distance',
    });
  }
  const order = permutation(count, stream(seed, 'metrics-groups'));
  const values: number[] = [];
  for (let group = 0; group < groups; group++) {
    values.push(await statistic(selectRows(set, order.filter((_, place) => place % groups !== group).sort())));
  }
  return values;
}

/** Standard error of the distance of generated images from a reference that is taken as it is. */
export async function frechetError(
  generated: FeatureSet,
  reference: FeatureStatistics,
  { groups, seed = 0, ...options }: ProductOptions & { readonly groups: number; readonly seed?: number },
): Promise<number> {
  const statistic = async (part: FeatureSet) =>
    (await frechetDistance(await statisticsOfFeatures(part, options), reference, options)).distance;
  return jackknifeError(await leaveGroupsOut(generated, { groups, seed }, statistic));
}

/**
 * Fréchet distance of generated images from a reference, with the standard error over draws of the generated images. It is too
 * large by about a constant over the count of images, on both sides: the counts are part of the convention.
 *
 * The error is that of a jackknife over groups; each group costs a distance.
 * @throws ConfigError if the features are of different networks, or there are too few images.
 */
export async function frechetMetric(
  generated: FeatureSet,
  reference: FeatureStatistics,
  options: FrechetOptions = {},
): Promise<Metric> {
  const { groups = 10, seed = 0, ...rest } = options;
  const statistics = await statisticsOfFeatures(generated, rest);
  const { distance } = await frechetDistance(statistics, reference, rest);
  return {
    name: 'frechet-distance',
    value: distance,
    unit: 'squared feature units',
    samples: { generated: statistics.count, reference: reference.count },
    standardError: groups === null ? null : await frechetError(generated, reference, { ...rest, groups, seed }),
    convention: describeConvention({
      ...featureChoices(reference),
      'reference-count': reference.count,
      'generated-count': statistics.count,
      covariance: 'n-1',
    }),
  };
}
