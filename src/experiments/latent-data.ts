/** Images as latents of an autoencoder: opened from a cache, which is made where it is missing. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { CouplingData } from '../coupling/whole-cost.ts';
import type { ImageDataset } from '../data/image-dataset.ts';
import type { LatentCache, LatentDtype } from '../data/latent-cache.ts';
import { hasTestSplit, openDataset, type Split } from '../data/open-dataset.ts';
import { type DataOrder, dataOrder } from '../data/order.ts';
import { elementCount } from '../engine/shape.ts';
import { CheckpointError } from '../errors.ts';
import { type Normalization, normalize } from '../latent/autoencoder.ts';
import type { Latent } from '../latent/latent.ts';
import { cacheFolder } from '../metrics/features/cache-folder.ts';
import type { LatentBatches } from '../training/batches.ts';
import type { HeldOutData } from '../training/validation.ts';
import { type AutoencoderRun, openAutoencoderRun } from './autoencoder-run.ts';
import type { RunConfig } from './config.ts';
import {
  checkPictures,
  type EncodeOrder,
  imagesDigest,
  openLatent,
  openOrEncode,
  type WorkOptions,
} from './latent-caches.ts';
import { datasetOptions, type ImageData, spread, storedDataName } from './stored-data.ts';

/** Section `latent` of an autoencoder. */
export type AutoencoderLatentConfig = Extract<RunConfig['latent'], { readonly kind: 'autoencoder' }>;

/** A config whose flow runs on latents of an autoencoder. */
export interface LatentConfig {
  readonly data: ImageData;
  readonly latent: AutoencoderLatentConfig;
  readonly seed: number;
  readonly training: Pick<RunConfig['training'], 'batchSize'>;
  readonly runtime: RunConfig['runtime'];
}

/** Names of the parts of a cache. */
export const cacheParts = { train: 'train', test: 'held-out' } as const satisfies Record<Split, string>;

/**
 * A config as the run in a folder has it now: where its autoencoder is no longer at its path but lies beside the run, as stages leave it,
 * that one is meant.
 */
export function withMovedAutoencoder(config: RunConfig, directory: string): RunConfig {
  const { latent } = config;
  if (latent.kind !== 'autoencoder' || existsSync(latent.run)) return config;
  const beside = join(dirname(resolve(directory)), basename(latent.run));
  return existsSync(beside) ? { ...config, latent: { ...latent, run: beside } } : config;
}

/**
 * The autoencoder of a config.
 * @throws CheckpointError if it is not the one that the config demands; both hashes are named. Otherwise as `openAutoencoderRun`.
 */
export async function openConfiguredAutoencoder({ run, encoder }: AutoencoderLatentConfig): Promise<AutoencoderRun> {
  const autoencoder = await openAutoencoderRun(run);
  if (encoder === null || encoder === autoencoder.hash) return autoencoder;
  throw new CheckpointError({
    expected: `\`${run}\` to be the autoencoder ${encoder}`,
    got: autoencoder.hash,
    where: 'experiments/latent-data',
    remedy: "the autoencoder's checkpoint of that time as `latent.run`",
  });
}

/** Where a cache is that is given no folder: in the user's cache folder, named by what it depends on. */
export async function usualCacheFolder(
  { data, dtype }: { readonly data: ImageData; readonly dtype: LatentDtype },
  train: ImageDataset,
  encoder: string,
): Promise<string> {
  const key = JSON.stringify([encoder, await imagesDigest(train), data.heldOut, data.flip, dtype]);
  return join(cacheFolder(), 'latents', createHash('sha256').update(key).digest('hex').slice(0, 32));
}

/** The two parts of a config's cache, each opened, or encoded, when it is first asked for. */
function lazyCaches(config: LatentConfig, train: ImageDataset, autoencoder: AutoencoderRun, options: WorkOptions) {
  const { data, latent, runtime } = config;
  const opened = new Map<Split, Promise<LatentCache>>();
  const { cache, dtype } = latent;
  const folder = cache === null ? usualCacheFolder({ data, dtype }, train, autoencoder.hash) : Promise.resolve(cache);
  folder.catch(() => {});
  const open = async (split: Split, set: ImageDataset) => {
    const name = storedDataName({ data }, split);
    const flips = split === 'train' && data.flip;
    const order: EncodeOrder = { set, name, autoencoder, dtype, flips, runtime };
    return openOrEncode(join(await folder, cacheParts[split]), order, options);
  };
  return (split: Split, set: ImageDataset): Promise<LatentCache> => {
    const known = opened.get(split);
    if (known !== undefined) return known;
    const cache = open(split, set);
    opened.set(split, cache);
    // What failed or was interrupted is tried again by the next who asks.
    cache.catch(() => opened.delete(split));
    return cache;
  };
}

type ReadLatents = (rows: Uint32Array, flipped: Uint8Array) => Promise<Float32Array>;

/** Batches of the training latents, in the order in which a loader would read their images. */
function latentBatches(
  read: ReadLatents,
  labels: Int32Array,
  { order, batch, imagesSeen }: { readonly order: DataOrder; readonly batch: number; readonly imagesSeen: number },
): LatentBatches {
  let seen = imagesSeen;
  return {
    async next() {
      const [indices, flipped] = [new Uint32Array(batch), new Uint8Array(batch)];
      order.fill(seen, indices, flipped);
      seen += batch;
      const target = await read(indices, flipped);
      return { target, labels: Int32Array.from(indices, (row) => labels[row]), indices, flipped };
    },
    skipped: 0,
    close: async () => {},
  };
}

/** Latents of the images of a config. */
export interface LatentImages {
  readonly latent: Latent;
  /** Section `latent` with the autoencoder's hash and the normalisation that are used. */
  readonly section: AutoencoderLatentConfig;
  open(imagesSeen: number): LatentBatches;
  heldOut(count: number): Promise<HeldOutData | null>;
  readonly rows: CouplingData;
  /** Latents of `count` training images at most, spread evenly. */
  some(count: number): Promise<Float32Array>;
}

/**
 * Opens the images of a config as latents. The cache is opened when latents are asked for, and now if the config has no normalisation:
 * with one, decoding needs the autoencoder alone.
 * @throws as `openConfiguredAutoencoder` and `openOrEncode`.
 */
export async function openLatentImages(
  config: LatentConfig,
  train: ImageDataset,
  options: WorkOptions = {},
): Promise<LatentImages> {
  const { data, latent: section, seed, runtime } = config;
  const autoencoder = await openConfiguredAutoencoder(section);
  checkPictures(train, autoencoder);
  const cacheOf = lazyCaches(config, train, autoencoder, options);
  const normalization: Normalization = section.normalization ?? (await cacheOf('train', train)).header.moments;
  const latent = openLatent(autoencoder, normalization, runtime);
  const [, height, width] = autoencoder.network.latents.shape;
  const reader =
    (split: Split, set: ImageDataset): ReadLatents =>
    async (rows, flipped) =>
      normalize(await (await cacheOf(split, set)).read(rows, flipped), normalization, height * width);
  const read = reader('train', train);
  return {
    latent,
    section: { ...section, encoder: autoencoder.hash, normalization },
    open: (imagesSeen) => {
      const order = dataOrder({ seed, count: train.count, flip: data.flip });
      return latentBatches(read, train.labels, { order, batch: config.training.batchSize, imagesSeen });
    },
    async heldOut(count) {
      if (!hasTestSplit(data)) return null;
      const test = await openDataset({ ...datasetOptions(data), split: 'test' });
      const rows = spread(test.count, count);
      const target = await reader('test', test)(rows, new Uint8Array(rows.length));
      return { target, labels: Int32Array.from(rows, (row) => test.labels[row]) };
    },
    rows: {
      count: train.count,
      elements: elementCount(latent.shape),
      labels: train.labels,
      mirrored: data.flip,
      read,
    },
    some: (count) => {
      const rows = spread(train.count, count);
      return read(rows, new Uint8Array(rows.length));
    },
  };
}
