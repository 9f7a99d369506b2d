/** The networks of `stability-table4`: one trained on all data, others on parts of them. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ImageDataset, readImages } from '../../data/image-dataset.ts';
import { openDataset } from '../../data/open-dataset.ts';
import { ConfigError } from '../../errors.ts';
import { writeNpz } from '../../formats/npz.ts';
import { permutation } from '../../numerics/permutation.ts';
import { stream } from '../../numerics/stream.ts';
import { latestCheckpoint } from '../../training/checkpoint.ts';
import { parseConfig, type RunConfig, type RunConfigInput } from '../config.ts';
import { readRunConfig, runDirectory } from '../run-directory.ts';
import type { RunEvent } from '../run-types.ts';
import { train } from '../train-run.ts';
import type { ReproductionContext } from './reproduction.ts';

/** Which data a network is trained on. */
export type VariantName = 'unpruned' | 'random-half' | 'half-classes';

/** What all networks of the table have in common. */
export interface VariantSettings {
  /** Seed of the networks and their training, and of what is left out. */
  readonly seed: number;
  readonly source: string;
  /** Length of each training. */
  readonly images: number;
  readonly model: RunConfigInput['model'];
  readonly runtime: NonNullable<RunConfigInput['runtime']>;
}

/** A trained network. */
export interface TrainedVariant {
  readonly name: VariantName;
  readonly directory: string;
  /** Data that it was trained on. */
  readonly data: number;
  /** Classes that it has seen; null where the set has none. */
  readonly classes: number | null;
  readonly config: RunConfig;
}

/** Part of a set. */
interface Part {
  readonly name: VariantName;
  /** Rows of the set; null: all. */
  readonly rows: Uint32Array | null;
  readonly classes: number | null;
}

/** All data; a random half; and the data of a random half of the classes, in place of half of the clusters. */
export function variantParts({ count, labels, classes, name }: ImageDataset, seed: number): Part[] {
  if (classes === null || classes.length < 2) {
    throw new ConfigError({
      expected: `\`${name}\` to have at least two classes, half of which can be left out`,
      got: `${classes?.length ?? 'none'}`,
      where: 'reproduce stability-table4',
      remedy: '--data with a labelled set, such as fashion',
    });
  }
  const all = Uint32Array.from({ length: count }, (_, row) => row);
  const half = permutation(count, stream(seed, 'pruned-data')).slice(0, Math.ceil(count / 2));
  const kept = permutation(classes.length, stream(seed, 'pruned-classes')).slice(0, Math.ceil(classes.length / 2));
  return [
    { name: 'unpruned', rows: null, classes: classes.length },
    { name: 'random-half', rows: half.sort(), classes: classes.length },
    { name: 'half-classes', rows: all.filter((row) => kept.includes(labels[row]!)), classes: kept.length },
  ];
}

/** Trains as `fashion-unet` does, with less to do. */
function configOf({ seed, images, model, runtime }: VariantSettings, name: string, data: RunConfigInput['data']) {
  const input: RunConfigInput = {
    name,
    seed,
    data,
    model,
    training: {
      images,
      batchSize: 64,
      optimizer: { kind: 'adamw', learningRate: 2e-3, betas: [0.9, 0.99] },
      schedule: { kind: 'cosine', warmupImages: Math.min(3_200, Math.ceil(images / 4)) },
      ema: { kind: 'decay', decay: 0.98 },
      validation: { everyImages: null, images: 500 },
      checkpoint: { everyImages: Math.max(64, Math.ceil(images / 4)) },
      log: { everyImages: 640 },
    },
    sampling: { solver: { kind: 'midpoint', steps: 20 }, batchSize: 64 },
    runtime,
  };
  return parseConfig(input, `stability-table4 ${name}`);
}

/** Writes the data of a part as a file, and gives the config's section for it. */
async function dataOf(set: ImageDataset, { name, rows }: Part, folder: string): Promise<RunConfigInput['data']> {
  if (rows === null) return { kind: 'images', source: set.name };
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.npz`);
  const { channels, height, width } = set;
  const data = Uint8Array.from(await readImages(set, rows));
  writeFileSync(
    path,
    writeNpz(new Map([['images', { dtype: 'uint8', shape: [rows.length, channels, height, width], data }]])),
  );
  return { kind: 'images', source: path, heldOut: null };
}

/** Whether the folder holds this run, begun or done. @throws ConfigError if it holds another one. */
function isBegun(directory: string, config: RunConfig): boolean {
  if (!existsSync(join(directory, 'config.json'))) return false;
  const identity = ({ runtime: _runtime, ...rest }: RunConfig) => JSON.stringify(rest);
  if (identity(readRunConfig(directory)) === identity(config)) return true;
  throw new ConfigError({
    expected: `\`${directory}\` to be free, or to hold the run that is wanted`,
    got: 'a run with other settings',
    where: 'reproduce stability-table4',
    remedy: 'another folder for --out, or removing it',
  });
}

/** Trains a run, goes on with it, or finds it done. */
async function trained(directory: string, config: RunConfig, { signal, onEvent }: Telling): Promise<void> {
  const resume = isBegun(directory, config);
  const checkpoint = resume ? await latestCheckpoint(runDirectory(directory).checkpoints) : null;
  if (checkpoint !== null && checkpoint.facts.imagesSeen >= config.training.images) return;
  await train({ config, directory, resume, signal, onEvent });
  // An interrupted training ends well, with a checkpoint from which the next call goes on.
  signal.throwIfAborted();
}

type Telling = Pick<ReproductionContext, 'signal' | 'onEvent'>;

/**
 * Trains all networks, or goes on with those that an earlier call left in the folder.
 * @param secondsAfter  seconds that the work after the trainings will take, by the images that a training sees in a second.
 * @throws ConfigError if the set has no classes, or the folder holds other runs; otherwise as `train`.
 */
export async function trainVariants(
  settings: VariantSettings,
  { directory, signal, onEvent }: ReproductionContext,
  secondsAfter: (imagesPerSecond: number) => number,
): Promise<TrainedVariant[]> {
  const set = await openDataset({ source: settings.source });
  const parts = variantParts(set, settings.seed);
  const variants: TrainedVariant[] = [];
  for (const [i, part] of parts.entries()) {
    const run = join(directory, 'runs', part.name);
    const config = configOf(settings, part.name, await dataOf(set, part, join(directory, 'data')));
    const later = parts.length - 1 - i;
    const tell = (event: RunEvent) => {
      if (event.kind !== 'step') return;
      const { imagesSeen, images, imagesPerSecond } = event;
      const secondsLeft = event.secondsLeft + (later * images) / imagesPerSecond + secondsAfter(imagesPerSecond);
      onEvent({
        kind: 'work',
        what: `training ${part.name}`,
        done: imagesSeen,
        count: images,
        unit: 'images',
        secondsLeft,
      });
    };
    await trained(run, config, { signal, onEvent: tell });
    const { name, rows, classes } = part;
    variants.push({ name, directory: run, data: rows?.length ?? set.count, classes, config });
  }
  return variants;
}
