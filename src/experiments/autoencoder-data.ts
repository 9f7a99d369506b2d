/** The images of an autoencoder's run: those that it learns, and those held out to measure it. */
import { type ImageDataset, readImages } from '../data/image-dataset.ts';
import { openLoader } from '../data/loader.ts';
import { hasTestSplit, openDataset } from '../data/open-dataset.ts';
import { ConfigError } from '../errors.ts';
import { pictureBatch } from '../training/autoencoder-trainer.ts';
import type { StepSource } from '../training/preparation.ts';
import type { AutoencoderConfig } from './autoencoder-config.ts';
import { datasetOptions, spread, storedDataName } from './stored-data.ts';

/** Held-out pictures. */
export interface HeldOutPictures {
  readonly count: number;
  /** uint8 [count, channels, height, width]. */
  readonly pixels: Uint8Array;
  /** Source and part, as conventions name them. */
  readonly name: string;
}

export interface AutoencoderData {
  readonly train: ImageDataset;
  /** `null` if the config holds none out. */
  readonly heldOut: HeldOutPictures | null;
}

/** @throws DataError or ConfigError if the images cannot be read or are not of the network's shape. */
export async function openAutoencoderData(config: AutoencoderConfig): Promise<AutoencoderData> {
  const { data, training } = config;
  const options = datasetOptions(data);
  const train = await openDataset({ ...options, split: 'train' });
  checkShape(config, train);
  if (!hasTestSplit(data)) return { train, heldOut: null };
  const test = await openDataset({ ...options, split: 'test' });
  const rows = spread(test.count, training.validation.images);
  const name = storedDataName(config, 'test');
  return { train, heldOut: { count: rows.length, pixels: await readImages(test, rows), name } };
}

function checkShape({ autoencoder }: AutoencoderConfig, { channels, height, width, name }: ImageDataset): void {
  const { size, colors } = autoencoder;
  if (channels === colors && height === size && width === size) return;
  throw new ConfigError({
    expected: `images [${colors}, ${size}, ${size}], as \`autoencoder.colors\` and \`autoencoder.size\` say`,
    got: `[${channels}, ${height}, ${width}] in ${name}`,
    where: 'experiments/autoencoder-data',
    remedy: '`data.size` and `data.channels` for a folder of images, or another `autoencoder.size`',
  });
}

/** The steps of a run from a number of images seen on. */
export function openPictureSteps(
  train: ImageDataset,
  { seed, data, training }: AutoencoderConfig,
  imagesSeen: number,
): StepSource {
  const { batchSize, accumulate } = training;
  const { flip, workers } = data;
  const loader = openLoader(train, { seed, batch: batchSize, imagesSeen, flip, workers });
  return {
    // Batches come in order, so that each step is that of its number of images.
    step: async () => {
      const batches = Array.from({ length: accumulate }, () => loader.next());
      return (await Promise.all(batches)).map(({ pixels }) => pictureBatch(pixels));
    },
    get skipped() {
      return loader.skipped.size;
    },
    close: () => loader.close(),
  };
}
