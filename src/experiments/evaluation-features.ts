/** The features that an evaluation compares by. */
import type { DatasetOptions } from '../data/open-dataset.ts';
import type { Runtime } from '../engine/runtime.ts';
import { ConfigError } from '../errors.ts';
import type { FeatureNetwork, ImageShape } from '../metrics/features/feature-network.ts';
import { openDomainFeatures } from './domain-features.ts';
import { coordinateFeatures, type FeatureMap, imageFeatures } from './feature-map.ts';
import { openFeatureNetwork } from './open-features.ts';
import type { RunEvent } from './run-types.ts';
import type { Population } from './sample-set.ts';

/** Which features, of what. */
export interface FeatureRequest {
  /** As `openFeatureNetwork` takes them, or `domain`. `null`: coordinates of vectors, `domain` for images with labels, pixels of those without. */
  readonly name: string | null;
  /** Data that the samples are like. */
  readonly data: Population;
  /** Where images of these come from, for features that are learned of them; `null` for vectors. */
  readonly images: DatasetOptions | null;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

const where = 'experiments/evaluation-features';

/** Whether samples of a shape are images; otherwise they are vectors. */
export function isImageShape(shape: readonly number[]): shape is ImageShape {
  return shape.length === 3;
}

/**
 * Opens features on a runtime, which owns them. Those that are learned of the data are learned now, unless they are in the user's cache.
 * @throws ConfigError if there are no such features, or not of such data; the signal's reason once it is aborted.
 */
export async function openFeatures(request: FeatureRequest): Promise<FeatureMap> {
  const { data, images } = request;
  const { shape } = data;
  if (!isImageShape(shape) || images === null) return vectorFeatures(request);
  const name = request.name ?? (data.classes === null ? 'pixels' : 'domain');
  if (name === 'domain') return imageFeatures(await domainFeatures(request, images), shape, true);
  const note = (text: string) => request.onEvent({ kind: 'note', text });
  const { runtime } = request;
  return imageFeatures(await openFeatureNetwork(name, { runtime, shape, note, others: ['domain'] }), shape);
}

function vectorFeatures({ name, data }: FeatureRequest): FeatureMap {
  if (name === null || name === 'coordinates') return coordinateFeatures(data.shape[0]!);
  const expected = '`features` to be coordinates, as the samples are vectors';
  throw new ConfigError({ expected, got: name, where });
}

function domainFeatures({ runtime, signal, onEvent }: FeatureRequest, data: DatasetOptions): Promise<FeatureNetwork> {
  return openDomainFeatures({
    data,
    runtime,
    signal,
    onProgress: ({ imagesSeen, images, secondsLeft }) =>
      onEvent({
        kind: 'work',
        what: 'classifier of the labels',
        done: imagesSeen,
        count: images,
        unit: 'images',
        secondsLeft,
      }),
  });
}
