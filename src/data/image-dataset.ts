/** A set of labelled images of one size, and the sets that are made from it by choosing rows. */

import { ConfigError } from '../errors.ts';
import { permutation } from '../numerics/permutation.ts';
import { stream } from '../numerics/stream.ts';
import type { ImageShape, PixelSource, SkippedImage } from './pixel-source.ts';
import { readPixels } from './read-pixels.ts';

/** A way to label every image of a set. */
export interface Attribute {
  /** 'label' unless the set has several. */
  readonly name: string;
  /** Names of the classes, by label. */
  readonly classes: readonly string[];
  /** Class of each image: int32 [count], in [0, classes.length). */
  readonly values: Int32Array;
}

/** Labelled images of one size. Rows are numbered from 0 to count - 1, in an order that depends on the files alone. */
export interface ImageDataset extends ImageShape {
  readonly kind: 'images';
  /** What a person calls it: 'fashion', or the path. */
  readonly name: string;
  /** Number of images. */
  readonly count: number;
  /** Names of the classes of `labels`; null if the set has no labels. */
  readonly classes: readonly string[] | null;
  /** Class of each image by the chosen attribute: int32 [count]; all 0 if the set has no labels. */
  readonly labels: Int32Array;
  /** Every known way to label the images, the chosen one first; empty if there are no labels. */
  readonly attributes: readonly Attribute[];
  /** Image files that were found unreadable when the set was opened, and are not counted. */
  readonly skipped: readonly SkippedImage[];
  /** Where the pixels are. */
  readonly source: PixelSource;
}

/** The parts of which a set is made. */
export interface ImageDatasetParts {
  readonly name: string;
  readonly source: PixelSource;
  /** The first one becomes `labels` and `classes`. */
  readonly attributes: readonly Attribute[];
  readonly skipped?: readonly SkippedImage[];
}

/** A set from its parts. */
export function imageDataset({ name, source, attributes, skipped = [] }: ImageDatasetParts): ImageDataset {
  const count = source.rows.length;
  const chosen = attributes[0];
  return {
    kind: 'images',
    name,
    count,
    ...source.shape,
    classes: chosen?.classes ?? null,
    labels: chosen?.values ?? new Int32Array(count),
    attributes,
    skipped,
    source,
  };
}

/** A set whose images lie in memory: `pixels` uint8 [count, channels, height, width], in shared memory. */
export function memoryDataset(
  name: string,
  { pixels, shape }: { readonly pixels: Uint8Array; readonly shape: ImageShape },
  attributes: readonly Attribute[],
): ImageDataset {
  const count = pixels.length / (shape.channels * shape.height * shape.width);
  const rows = Uint32Array.from({ length: count }, (_, row) => row);
  return imageDataset({ name, source: { shape, rows, store: { kind: 'memory', pixels } }, attributes });
}

/**
 * The set of the given rows, in the given order; nothing is copied.
 *
 * @throws ConfigError if a row is not one of the set's.
 */
export function subset(dataset: ImageDataset, rows: ArrayLike<number>): ImageDataset {
  const { source, attributes, name, skipped } = dataset;
  const wanted = Array.from(rows);
  const stray = wanted.find((row) => !Number.isInteger(row) || row < 0 || row >= dataset.count);
  if (stray !== undefined) {
    throw new ConfigError({
      expected: `\`rows\` to be in [0, ${dataset.count})`,
      got: String(stray),
      where: 'data/subset',
    });
  }
  return imageDataset({
    name,
    skipped,
    source: { ...source, rows: Uint32Array.from(wanted, (row) => source.rows[row]!) },
    attributes: attributes.map((attribute) => ({
      ...attribute,
      values: Int32Array.from(wanted, (row) => attribute.values[row]!),
    })),
  });
}

/** Rows for training and rows held out, each in ascending order. */
export interface Division {
  readonly train: Uint32Array;
  readonly test: Uint32Array;
}

/**
 * Which rows of a set of `count` are held out: round(fraction·count) of them, chosen by `seed` alone.
 *
 * @param fraction  in [0, 1).
 * @throws ConfigError if the fraction is out of range or leaves a side empty.
 */
export function holdOut(count: number, fraction: number, seed: number): Division {
  const held = Math.round(fraction * count);
  if (!(fraction >= 0 && fraction < 1) || held < 1 || held >= count) {
    throw new ConfigError({
      expected: `\`heldOut\` to leave at least one of ${count} images on either side`,
      got: String(fraction),
      where: 'data/holdOut',
      remedy: 'a fraction such as 0.1',
    });
  }
  const order = permutation(count, stream(seed, 'held-out'));
  return { test: order.slice(0, held).sort(), train: order.slice(held).sort() };
}

/**
 * Pixels of some rows at once.
 *
 * @param rows  row numbers in [0, count).
 * @returns uint8 [rows, channels, height, width].
 * @throws DataError as `readPixels`.
 */
export async function readImages(dataset: ImageDataset, rows: Uint32Array): Promise<Uint8Array> {
  const out = new Uint8Array(rows.length * dataset.channels * dataset.height * dataset.width);
  await readPixels(dataset.source, { wanted: rows, out });
  return out;
}
