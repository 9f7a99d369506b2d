/** The data of a run as training sees it: latents in batches, held-out latents, and what they say about the model. */

import type { CouplingData } from '../coupling/whole-cost.ts';
import { assembleBatch } from '../data/batch.ts';
import type { ImageDataset } from '../data/image-dataset.ts';
import { readImages } from '../data/image-dataset.ts';
import { openLoader, openVectorLoader } from '../data/loader.ts';
import { hasTestSplit, openDataset, openVectors, type Split } from '../data/open-dataset.ts';
import type { VectorDataset } from '../data/vector-dataset.ts';
import { elementCount } from '../engine/shape.ts';
import { identityLatent } from '../latent/identity.ts';
import type { Latent } from '../latent/latent.ts';
import { imageBatches, type LatentBatches, vectorBatches } from '../training/batches.ts';
import type { HeldOutData } from '../training/validation.ts';
import type { RunConfig } from './config.ts';
import { openLatentArrays, openLatentVectors } from './latent-arrays.ts';

export interface RunData {
  readonly name: string;
  /** Shape of one sample's latents. */
  readonly shape: readonly number[];
  /** Names of the classes; `null` without labels. */
  readonly classes: readonly string[] | null;
  /** Training images or vectors. */
  readonly count: number;
  /** The way between pixels and latents; `null` for vectors. */
  readonly latent: Latent | null;
  /** Files that could not be read when the set was opened. */
  readonly skipped: number;
  /** Training batches from a number of images seen on. */
  open(imagesSeen: number): LatentBatches;
  /** The first `count` held-out samples in an order fixed by the data; `null` if none are held out. */
  heldOut(count: number): Promise<HeldOutData | null>;
  /** The training data in any order, for couplings. */
  readonly rows: CouplingData;
  /** Mean of the training latents, float64 [...shape], over at most 10,000 of them. */
  mean(): Promise<Float64Array>;
}

/** Latents that the mean is taken over: enough for a reference value. */
const MEAN_SAMPLES = 10_000;

function meanOf(latents: Float32Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  for (let i = 0; i < latents.length; i++) mean[i % width] += latents[i];
  return mean.map((sum) => sum / (latents.length / width));
}

/** Row numbers spread evenly over a set. */
export function spread(count: number, wanted: number): Uint32Array {
  const rows = Math.min(count, wanted);
  return Uint32Array.from({ length: rows }, (_, i) => Math.floor((i * count) / rows));
}

type ImageData = Extract<RunConfig['data'], { readonly kind: 'images' }>;

/** Options of the data folder, with those left out that apply to folders of images only and are at their default. */
export function datasetOptions({
  kind: _kind,
  flip: _flip,
  workers: _workers,
  size,
  channels,
  fit,
  strict,
  verify,
  cacheBytes,
  ...rest
}: ImageData) {
  const isPath = rest.source !== 'fashion' && rest.source !== 'portraits';
  const folder = { size, channels, strict, verify, cacheBytes, fit };
  return isPath || size !== null || channels !== null ? { ...rest, ...folder } : rest;
}

/** The data of a config as they are stored. */
export type StoredData = ImageDataset | VectorDataset;

/**
 * The training or the held-out data of a config as they are stored; `null` if none are held out.
 * @throws DataError or ConfigError if they cannot be read.
 */
export async function openStoredData({ data }: RunConfig, split: Split): Promise<StoredData | null> {
  if (data.kind === 'latents') return split === 'test' ? null : openLatentVectors(data);
  if (data.kind === 'vectors') {
    const { kind: _kind, ...options } = data;
    return split === 'test' && data.source.endsWith('.npz') ? null : openVectors({ ...options, split });
  }
  return split === 'test' && !hasTestSplit(data) ? null : openDataset({ ...datasetOptions(data), split });
}

/** What conventions call the data: source, part, and what of the config changes them. */
export function storedDataName({ data }: RunConfig, split: Split): string {
  if (data.kind === 'latents') return data.source ?? 'none';
  const { source } = data;
  const part = split === 'train' ? 'train' : 'held out';
  if (data.kind === 'vectors') return source.endsWith('.npz') ? source : `${source} ${part}, seed ${data.seed}`;
  const { size, channels, fit, heldOut, heldOutSeed } = data;
  const choices = [
    ...(size === null ? [] : [`${fit} to ${size}`]),
    ...(channels === null ? [] : [`${channels} channels`]),
    ...(source === 'fashion' || heldOut === null ? [] : [`held out ${heldOut} by seed ${heldOutSeed}`]),
  ];
  return [`${source} ${part}`, ...choices].join(', ');
}

async function openImages(data: ImageData, { seed, training, latent: _latent }: RunConfig): Promise<RunData> {
  const options = datasetOptions(data);
  const train = await openDataset({ ...options, split: 'train' });
  const latent = identityLatent([train.channels, train.height, train.width]);
  const encoded = async (set: ImageDataset, rows: Uint32Array) => latent.encode(await readImages(set, rows));
  const width = train.channels * train.height * train.width;
  return {
    name: train.name,
    shape: latent.shape,
    classes: train.classes,
    count: train.count,
    latent,
    skipped: train.skipped.length,
    open: (imagesSeen) =>
      imageBatches(
        openLoader(train, { seed, batch: training.batchSize, imagesSeen, flip: data.flip, workers: data.workers }),
        latent,
      ),
    async heldOut(count) {
      if (!hasTestSplit(data)) return null;
      const test = await openDataset({ ...options, split: 'test' });
      const rows = spread(test.count, count);
      return { target: await encoded(test, rows), labels: Int32Array.from(rows, (row) => test.labels[row]) };
    },
    rows: {
      count: train.count,
      elements: elementCount(latent.shape),
      labels: train.labels,
      mirrored: data.flip,
      read: async (indices, flipped) => latent.encode((await assembleBatch(train.source, { indices, flipped })).pixels),
    },
    mean: async () => meanOf(await encoded(train, spread(train.count, MEAN_SAMPLES)), width),
  };
}

type VectorData = Extract<RunConfig['data'], { readonly kind: 'vectors' }>;

async function openPoints({ kind: _kind, ...data }: VectorData, { seed, training }: RunConfig): Promise<RunData> {
  const train = await openVectors(data);
  const { features } = train;
  const rowsOf = ({ vectors }: VectorDataset, rows: Uint32Array) => {
    const chosen = new Float32Array(rows.length * features);
    for (const [i, row] of rows.entries())
      chosen.set(vectors.subarray(row * features, (row + 1) * features), i * features);
    return chosen;
  };
  return {
    name: train.name,
    shape: [features],
    classes: train.classes,
    count: train.count,
    latent: null,
    skipped: 0,
    open: (imagesSeen) => vectorBatches(openVectorLoader(train, { seed, batch: training.batchSize, imagesSeen })),
    async heldOut(count) {
      if (data.source.endsWith('.npz')) return null;
      const test = await openVectors({ ...data, split: 'test', count });
      const rows = spread(test.count, count);
      return { target: rowsOf(test, rows), labels: Int32Array.from(rows, (row) => test.labels[row]) };
    },
    rows: {
      count: train.count,
      elements: features,
      labels: train.labels,
      mirrored: false,
      read: async (rows) => rowsOf(train, rows),
    },
    mean: async () => meanOf(rowsOf(train, spread(train.count, MEAN_SAMPLES)), features),
  };
}

/** Opens the data of a config. @throws DataError or ConfigError if it cannot be read. */
export function openRunData(config: RunConfig): Promise<RunData> {
  const { data } = config;
  switch (data.kind) {
    case 'images':
      return openImages(data, config);
    case 'vectors':
      return openPoints(data, config);
    case 'latents':
      return openLatentArrays(data, config);
  }
}
