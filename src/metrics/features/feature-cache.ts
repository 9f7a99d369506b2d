/**
 * Extracted features on disk. A file is found by all that its numbers depend on: the network's hash, layer and preparation, and the
 * images themselves. Nothing is trusted that fails its checksum.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readSafetensors, safetensor, writeSafetensors } from '../../formats/safetensors.ts';
import { cacheFolder, writeWhole } from './cache-folder.ts';
import { type FeatureNetwork, type ImageShape, imagesIn } from './feature-network.ts';

/** Images and what they are called. */
export interface CachedImages {
  /** uint8 [count, channels, height, width]. */
  readonly pixels: Uint8Array;
  /** [channels, height, width]. */
  readonly shape: ImageShape;
  /** Set and split, for the person who looks into the file. */
  readonly data: string;
}

export interface FeatureCacheOptions {
  /** Default: `cacheFolder()`. */
  readonly folder?: string;
  /** Is told when a file was broken. */
  readonly note?: (text: string) => void;
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Name of the features: SHA-256 of all that they depend on. */
function featureKey({ network, hash, dimensions }: FeatureNetwork, { pixels, shape }: CachedImages): string {
  return sha256(JSON.stringify({ format: 1, network, hash, dimensions, shape, pixels: sha256(pixels) }));
}

/** Features of a file; `null` if there is none. @throws Error of any kind if it is broken. */
async function readFeatures(path: string, key: string, count: number): Promise<Float32Array | null> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (bytes === null) return null;
  const { tensors, metadata } = readSafetensors(bytes);
  const features = tensors.get('features');
  if (features?.dtype !== 'F32' || metadata.key !== key || features.shape[0] !== count)
    throw new Error('other features');
  if (metadata.sha256 !== sha256(bytesOf(features.data))) throw new Error('its checksum differs');
  return features.data;
}

/**
 * Features of images from the cache folder, or from the network, which are then kept there. Several processes may do so at once.
 * Features without a hash, such as pixels, are not kept.
 * @returns float32 [count, dimensions].
 * @throws what `network.extract` throws; and what the file system does if the features cannot be written.
 */
export async function cachedFeatures(
  network: FeatureNetwork,
  images: CachedImages,
  { folder = cacheFolder(), note = () => {} }: FeatureCacheOptions = {},
): Promise<Float32Array> {
  const { pixels, shape, data } = images;
  const count = imagesIn(pixels, shape, 'metrics/features/feature-cache');
  if (network.hash === null || count === 0) return network.extract(pixels, shape);
  const key = featureKey(network, images);
  const path = join(folder, 'features', `${key.slice(0, 32)}.safetensors`);
  const kept = await readFeatures(path, key, count).catch((error: unknown) => {
    note(
      `Features in ${path} are broken (${error instanceof Error ? error.message : error}); they are computed again.`,
    );
    return null;
  });
  if (kept !== null) return kept;
  const features = await network.extract(pixels, shape);
  const metadata = { key, data, network: network.network, hash: network.hash, sha256: sha256(bytesOf(features)) };
  const tensors = new Map([['features', safetensor(features, [count, network.dimensions])]]);
  await writeWhole(path, writeSafetensors(tensors, metadata));
  return features;
}
