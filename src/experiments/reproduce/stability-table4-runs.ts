/** The networks of `stability-table4`: one trained on all data, others on parts of them. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ImageDataset, readImages } from '../../data/image-dataset.ts';
import { openDataset } from '../../data/open-dataset.ts';
import { ConfigError } from '../../errors.ts';
import { writeNpz } from '../../formats/npz.ts';
import { permutation } from '../../numerics/permutation.ts';
import { stream } from '../../numerics/stream.ts';
import { parseConfig, type RunConfig, type RunConfigInput } from '../config.ts';
import { writeWhole } from '../run-directory.ts';
import type { RunEvent } from '../run-types.ts';
import type { ReproductionContext } from './reproduction.ts';
import { reusedRun } from './reused-run.ts';
import type { NetworkSections } from './small-unet.ts';

/** Which data a network is trained on. */
export type VariantName = 'unpruned' | 'random-half' | 'half-classes';

/** What all networks of the table have in common. */
export interface VariantSettings {
  /** Seed of the networks and their training, and of what is left out. */
  readonly seed: number;
  readonly source: string;
  /** Model, training and sampling. */
  readonly network: NetworkSections;
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

/** Writes the data of a part as a file, and gives the config's section for it. */
async function dataOf(set: ImageDataset, { name, rows }: Part, folder: string): Promise<RunConfigInput['data']> {
  if (rows === null) return { kind: 'images', source: set.name };
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.npz`);
  const { channels, height, width } = set;
  const data = Uint8Array.from(await readImages(set, rows));
  const shape = [rows.length, channels, height, width];
  writeWhole(path, writeNpz(new Map([['images', { dtype: 'uint8', shape, data }]])));
  return { kind: 'images', source: path, heldOut: null };
}

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
    const data = await dataOf(set, part, join(directory, 'data'));
    const input = { name: part.name, seed: settings.seed, data, ...settings.network };
    const config = parseConfig(input, `stability-table4 ${part.name}`);
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
    await reusedRun(config, run, { signal, onEvent: tell });
    const { name, rows, classes } = part;
    variants.push({ name, directory: run, data: rows?.length ?? set.count, classes, config });
  }
  return variants;
}
