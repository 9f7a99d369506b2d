/** The features that an evaluation compares by. */
import { ConfigError } from '../errors.ts';
import type { ImageShape } from '../metrics/features/feature-network.ts';
import { pixelFeatures } from '../metrics/features/pixel-features.ts';
import { coordinateFeatures, type FeatureMap, imageFeatures } from './feature-map.ts';
import type { Population } from './sample-set.ts';

/**
 * Opens features for samples like some data.
 * @param name  `null`: coordinates of vectors, pixels of images.
 * @throws ConfigError if there are no such features, or not of such data.
 */
export async function openFeatures(name: string | null, { shape }: Population): Promise<FeatureMap> {
  if (!isImageShape(shape)) {
    if (name === null || name === 'coordinates') return coordinateFeatures(shape[0]!);
    throw new ConfigError({
      expected: '`features` to be coordinates, as the samples are vectors',
      got: name,
      where: 'experiments/evaluation-features',
    });
  }
  if (name === null || name === 'pixels') return imageFeatures(pixelFeatures(shape), shape);
  throw new ConfigError({
    expected: '`features` to be pixels',
    got: name,
    where: 'experiments/evaluation-features',
  });
}

/** Whether samples of a shape are images; otherwise they are vectors. */
export function isImageShape(shape: readonly number[]): shape is ImageShape {
  return shape.length === 3;
}
