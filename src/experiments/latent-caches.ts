/** Data sets encoded by a trained autoencoder: caches of their latents, and how these are made. */
import { mkdirSync } from 'node:fs';
import { assembleBatch } from '../data/batch.ts';
import { datasetDigest } from '../data/dataset-digest.ts';
import { type ImageDataset, imageDataset } from '../data/image-dataset.ts';
import { type LatentCache, type LatentCacheFacts, type LatentDtype, openLatentCache } from '../data/latent-cache.ts';
import { writeLatentCache } from '../data/write-latent-cache.ts';
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import { formatShape } from '../engine/shape.ts';
import { ConfigError, DataError, internalError } from '../errors.ts';
import { autoencoderLatent, noNormalization } from '../latent/autoencoder.ts';
import type { Latent } from '../latent/latent.ts';
import { lockRun } from '../training/run-lock.ts';
import type { AutoencoderRun } from './autoencoder-run.ts';
import type { RunConfig } from './config.ts';
import type { RunEvent } from './run-types.ts';
import { workProgress } from './work-progress.ts';

const where = 'experiments/latent-caches';

/** Who hears of work, and how it is ended. */
export interface WorkOptions {
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}

/** Images to be encoded, and by what. */
export interface EncodeOrder {
  readonly set: ImageDataset;
  /** What a person calls them. */
  readonly name: string;
  readonly autoencoder: AutoencoderRun;
  readonly dtype: LatentDtype;
  /** Whether mirrored images are encoded, too. */
  readonly flips: boolean;
  /** What executes the encoder. */
  readonly runtime: RunConfig['runtime'];
}

/** @throws ConfigError if images are not of the autoencoder's size. */
export function checkPictures(set: ImageDataset, { network, checkpoint }: AutoencoderRun): void {
  const shape = [set.channels, set.height, set.width];
  if (shape.join() === network.input.shape.join()) return;
  throw new ConfigError({
    expected: `images of the autoencoder's ${formatShape(network.input.shape)}`,
    got: `${formatShape(shape)} in ${set.name}`,
    where,
    remedy: `the size for which ${checkpoint.path} was trained`,
  });
}

/** SHA-256 of images, whatever their labels are. @throws DataError as `datasetDigest`. */
export function imagesDigest({ name, source }: ImageDataset): Promise<string> {
  return datasetDigest(imageDataset({ name, source, attributes: [] }));
}

/** What a cache of an order holds. */
async function factsOf({ set, name, autoencoder, dtype, flips }: EncodeOrder): Promise<LatentCacheFacts> {
  const data = await imagesDigest(set);
  const { shape } = autoencoder.network.latents;
  return { name, encoder: autoencoder.hash, data, count: set.count, shape, dtype, flips };
}

/** Pictures of some rows, all of which must be readable. */
async function pixelsOf({ set }: EncodeOrder, indices: Uint32Array, flipped: Uint8Array): Promise<Uint8Array> {
  const { pixels, skipped } = await assembleBatch(set.source, { indices, flipped });
  const [fault] = skipped;
  if (fault === undefined) return pixels;
  throw new DataError({
    expected: `\`${fault.file}\` to be a readable image`,
    got: fault.reason,
    where,
    remedy: '`data.verify` pixels, which leaves such images out when the set is opened',
  });
}

/**
 * Encodes a set into a folder, or goes on with it; done if the folder holds all of it.
 * @throws ConfigError if the images are not of the autoencoder's size or the folder is a cache of something else; CheckpointError if another
 *   process encodes into it; the signal's reason once it is aborted: what is encoded stays.
 */
export async function encodeSet(folder: string, order: EncodeOrder, { signal, onEvent }: WorkOptions): Promise<void> {
  const { set, autoencoder, name, runtime } = order;
  checkPictures(set, autoencoder);
  const facts = await factsOf(order);
  mkdirIfAbsent(folder);
  const giveBack = lockRun(folder);
  const latent = autoencoderLatent({
    ...autoencoder,
    normalization: noNormalization(facts.shape[0]),
    openRuntime: () => openNativeRuntime(runtime),
  });
  try {
    await writeLatentCache(folder, facts, {
      encode: async (rows, flipped) => latent.encode(await pixelsOf(order, rows, flipped)),
      ...(signal === undefined ? {} : { signal }),
      ...(onEvent === undefined
        ? {}
        : { onProgress: workProgress(onEvent, { what: `latents of ${name}`, unit: 'images' }) }),
    });
  } finally {
    latent.release();
    giveBack();
  }
}

function mkdirIfAbsent(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new DataError({ expected: `\`${folder}\` to be a folder`, got, where, cause });
  }
}

/** The cache of an order in a folder, encoded now where it is missing or not complete. @throws as `encodeSet`. */
export async function openOrEncode(folder: string, order: EncodeOrder, options: WorkOptions): Promise<LatentCache> {
  checkPictures(order.set, order.autoencoder);
  const facts = await factsOf(order);
  const found = await openLatentCache(folder, facts);
  if (found !== null) return found;
  await encodeSet(folder, order, options);
  const made = await openLatentCache(folder, facts);
  if (made === null) throw internalError(`the cache ${folder} is not complete`);
  return made;
}

/** The latent space of an autoencoder with the constants of a cache or a config. */
export function openLatent(
  autoencoder: AutoencoderRun,
  normalization: Parameters<typeof autoencoderLatent>[0]['normalization'],
  runtime: RunConfig['runtime'],
): Latent {
  const { length } = normalization.mean;
  const [channels] = autoencoder.network.latents.shape;
  if (length !== channels) {
    throw new ConfigError({
      expected: `\`latent.normalization\` to have the ${channels} channels of the latents`,
      got: `${length}`,
      where,
    });
  }
  return autoencoderLatent({ ...autoencoder, normalization, openRuntime: () => openNativeRuntime(runtime) });
}
