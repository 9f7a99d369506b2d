/** Whether generated images are copies of training images, by distances of features. */
import { ConfigError } from '../errors.ts';
import type { TileOptions } from '../numerics/distance-tiles.ts';
import { estimateMean } from '../numerics/estimate.ts';
import { nearestNeighbours } from '../numerics/nearest-neighbours.ts';
import { memorisedBelow, nearestRatios } from '../numerics/nearest-ratio.ts';
import { checkSameNetwork, type FeatureSet, featureChoices, rowsOfFeatures } from './feature-set.ts';
import { selectRows } from './frechet-distance.ts';
import { describeConvention, finiteOrNull, type Metric } from './metric.ts';

export interface MemorisationOptions extends TileOptions {
  /** A generated image counts as memorised if its ratio of distances is below this. Default 1/3. */
  readonly threshold?: number;
}

/** Values of each generated image. */
export interface TrainingNeighbours {
  /** Row of the nearest training image, uint32 [generated]. */
  readonly nearest: Uint32Array;
  /** Distance to the nearest training image, float64 [generated]. */
  readonly distances: Float64Array;
  /** Distance to the nearest over that to the second nearest; 0 where both are 0, a copy of images that occur twice. */
  readonly ratios: Float64Array;
  /** 1 where the nearest training image is nearer to another training image than to the generated one. */
  readonly authentic: Uint8Array;
}

/** Squared distance of some rows of a set to the nearest of the others, by row. */
async function distancesToOthers(
  set: FeatureSet,
  rows: Uint32Array,
  options: TileOptions,
): Promise<ReadonlyMap<number, number>> {
  const asked = [...new Set(rows)];
  const queries = rowsOfFeatures(selectRows(set, Uint32Array.from(asked)));
  // A row is at distance 0 from itself, so that the second smallest distance is the smallest of the others.
  const { squaredDistances } = await nearestNeighbours(queries, rowsOfFeatures(set), { ...options, k: 2 });
  return new Map(asked.map((row, i) => [row, squaredDistances[2 * i + 1]!]));
}

/**
 * The nearest training images of each generated one.
 *
 * Sources: [yoon:23], section 3 (ratio of the two nearest distances); [alaa:22] (authenticity).
 * @throws ConfigError for fewer than two training images, or features of different networks.
 */
export async function trainingNeighbours(
  generated: FeatureSet,
  training: FeatureSet,
  options: TileOptions = {},
): Promise<TrainingNeighbours> {
  checkSameNetwork(generated, training);
  const [g, t] = [rowsOfFeatures(generated), rowsOfFeatures(training)];
  const neighbours = await nearestNeighbours(g, t, { ...options, k: 2 });
  const { indices, squaredDistances } = neighbours;
  const nearest = Uint32Array.from({ length: g.count }, (_, i) => indices[2 * i]!);
  const own = await distancesToOthers(training, nearest, options);
  const distances = new Float64Array(g.count);
  const authentic = new Uint8Array(g.count);
  for (let i = 0; i < g.count; i++) {
    const first = squaredDistances[2 * i]!;
    distances[i] = Math.sqrt(first);
    authentic[i] = own.get(nearest[i]!)! < first ? 1 : 0;
  }
  return { nearest, distances, ratios: nearestRatios(neighbours), authentic };
}

/**
 * Mean ratio of the distances to the two nearest training images (near 1 for new images), share of images whose ratio is below the
 * threshold (memorised), and percentage of authentic images (about half where a model only copies with small changes, or where
 * generated and training images have the same distribution; near 0 where it copies).
 *
 * Standard errors are over draws of the generated images. All depend on the count of training images.
 */
export async function memorisationMetrics(
  generated: FeatureSet,
  training: FeatureSet,
  options: MemorisationOptions = {},
): Promise<{ readonly [K in 'ratio' | 'memorised' | 'authentic']: Metric }> {
  const { threshold = memorisedBelow } = options;
  if (!(threshold > 0 && threshold <= 1)) {
    throw new ConfigError({
      expected: '`threshold` to be in (0, 1]',
      got: String(threshold),
      where: 'metrics/memorisation',
    });
  }
  const { ratios, authentic } = await trainingNeighbours(generated, training, options);
  const samples = { generated: ratios.length, training: training.values.length / training.dimensions };
  const choices = { ...featureChoices(training), 'reference-count': samples.training, distance: 'euclidean' };
  const metric = (name: string, unit: string, values: ArrayLike<number>, more = {}): Metric => {
    const { mean, standardError } = estimateMean(values);
    const convention = describeConvention({ ...choices, ...more });
    return { name, value: mean, unit, samples, standardError: finiteOrNull(standardError), convention };
  };
  const memorised = ratios.map((ratio) => (ratio < threshold ? 1 : 0));
  return {
    ratio: metric('nearest-ratio', 'ratio', ratios),
    memorised: metric('memorised', 'fraction', memorised, { threshold }),
    authentic: metric(
      'authentic',
      '%',
      Float64Array.from(authentic, (value) => 100 * value),
    ),
  };
}
