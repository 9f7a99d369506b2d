/** The features that an evaluation compares by. */
import { ConfigError } from '../errors.ts';
import { pixelFeatures } from '../metrics/features/pixel-features.ts';
import { coordinateFeatures, type FeatureMap, imageFeatures } from './feature-map.ts';
import type { StoredData } from './run-data.ts';

/**
 * Opens features for samples like some data.
 * @param name  `null`: coordinates of vectors, pixels of images.
 * @throws ConfigError if there are no such features, or not of such data.
 */
export async function openFeatures(name: string | null, data: StoredData): Promise<FeatureMap> {
  if (data.kind === 'vectors') {
    if (name === null || name === 'coordinates') return coordinateFeatures(data.features);
    throw new ConfigError({
      expected: '`features` to be coordinates, as the samples are vectors',
      got: name,
      where: 'experiments/evaluation-features',
    });
  }
  const shape = [data.channels, data.height, data.width] as const;
  if (name === null || name === 'pixels') return imageFeatures(pixelFeatures(shape), shape);
  throw new ConfigError({
    expected: '`features` to be pixels',
    got: name,
    where: 'experiments/evaluation-features',
  });
}
