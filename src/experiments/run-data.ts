/** The data of a run as training sees it: latents in batches, held-out latents, and what they say about the model. */

import type { CouplingData } from '../coupling/whole-cost.ts';
import { assembleBatch } from '../data/batch.ts';
import type { ImageDataset } from '../data/image-dataset.ts';
import { readImages } from '../data/image-dataset.ts';
import { openLoader, openVectorLoader } from '../data/loader.ts';
import { hasTestSplit, openDataset, openVectors } from '../data/open-dataset.ts';
import type { VectorDataset } from '../data/vector-dataset.ts';
import { elementCount } from '../engine/shape.ts';
import { identityLatent } from '../latent/identity.ts';
import type { Latent } from '../latent/latent.ts';
import { imageBatches, type LatentBatches, vectorBatches } from '../training/batches.ts';
import type { HeldOutData } from '../training/validation.ts';
import type { RunConfig } from './config.ts';
import { openLatentArrays } from './latent-arrays.ts';
import type { WorkOptions } from './latent-caches.ts';
import { openLatentImages } from './latent-data.ts';
import { datasetOptions, type ImageData, spread } from './stored-data.ts';

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
  /** Section `latent` of the config with all that decoding depends on; a run keeps it. */
  readonly section: RunConfig['latent'];
  /** Gives back what decoding has opened. */
  release(): void;
}

/** Latents that the mean is taken over: enough for a reference value. */
const MEAN_SAMPLES = 10_000;

function meanOf(latents: Float32Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  for (let i = 0; i < latents.length; i++) mean[i % width] += latents[i];
  return mean.map((sum) => sum / (latents.length / width));
}

/** Images as pixels. */
function pixelData(data: ImageData, train: ImageDataset, { seed, training }: RunConfig) {
  const latent = identityLatent([train.channels, train.height, train.width]);
  const encoded = async (set: ImageDataset, rows: Uint32Array) => latent.encode(await readImages(set, rows));
  return {
    latent,
    section: { kind: 'identity' } as const,
    open: (imagesSeen: number) =>
      imageBatches(
        openLoader(train, { seed, batch: training.batchSize, imagesSeen, flip: data.flip, workers: data.workers }),
        latent,
      ),
    async heldOut(count: number) {
      if (!hasTestSplit(data)) return null;
      const test = await openDataset({ ...datasetOptions(data), split: 'test' });
      const rows = spread(test.count, count);
      return { target: await encoded(test, rows), labels: Int32Array.from(rows, (row) => test.labels[row]) };
    },
    rows: {
      count: train.count,
      elements: elementCount(latent.shape),
      labels: train.labels,
      mirrored: data.flip,
      read: async (indices: Uint32Array, flipped: Uint8Array) =>
        latent.encode((await assembleBatch(train.source, { indices, flipped })).pixels),
    },
    some: (count: number) => encoded(train, spread(train.count, count)),
  };
}

async function openImages(data: ImageData, config: RunConfig, options: WorkOptions): Promise<RunData> {
  const { latent: section } = config;
  const train = await openDataset({ ...datasetOptions(data), split: 'train' });
  const { some, ...latents } =
    section.kind === 'identity'
      ? pixelData(data, train, config)
      : await openLatentImages({ ...config, data, latent: section }, train, options);
  const { latent } = latents;
  return {
    ...latents,
    name: train.name,
    shape: latent.shape,
    classes: train.classes,
    count: train.count,
    skipped: train.skipped.length,
    mean: async () => meanOf(await some(MEAN_SAMPLES), elementCount(latent.shape)),
    release: () => latent.release(),
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
    section: { kind: 'identity' },
    release() {},
  };
}

/**
 * Opens the data of a config.
 * @param options  for latents that have to be encoded first.
 * @throws DataError or ConfigError if they cannot be read; of latents also as `openLatentImages`.
 */
export function openRunData(config: RunConfig, options: WorkOptions = {}): Promise<RunData> {
  const { data } = config;
  switch (data.kind) {
    case 'images':
      return openImages(data, config, options);
    case 'vectors':
      return openPoints(data, config);
    case 'latents':
      return openLatentArrays(data, config);
  }
}
