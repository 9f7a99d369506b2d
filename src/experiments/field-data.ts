/** Data as the exact field takes them: rows of latents from a name or a path, or from the run that was trained on them. */
import { boxAverage } from '../data/box-average.ts';
import { type ImageDataset, readImages } from '../data/image-dataset.ts';
import { hasTestSplit, isImageFolder, openDataset, openVectors } from '../data/open-dataset.ts';
import { toyDensities } from '../data/toy-densities.ts';
import type { VectorDataset } from '../data/vector-dataset.ts';
import { elementCount } from '../engine/shape.ts';
import { ConfigError, DataError } from '../errors.ts';
import { identityLatent } from '../latent/identity.ts';
import type { Latent } from '../latent/latent.ts';
import type { KeptRows } from '../numerics/kept-rows.ts';
import type { HeldOutData } from '../training/validation.ts';
import { rowsOf } from './exact-field.ts';
import type { RunData } from './run-data.ts';
import { spread } from './stored-data.ts';

/** Latents by row. */
export interface FieldData {
  /** What tables and charts call the data. */
  readonly name: string;
  /** Shape of a datum: [channels, height, width] of images, [features] of vectors. */
  readonly shape: readonly number[];
  readonly rows: KeptRows;
  /** Label of each row: int32 [rows]; all 0 without labels. */
  readonly labels: Int32Array;
  /** Names of the classes; null without labels. */
  readonly classes: readonly string[] | null;
  /** The way between pixels and latents; null for vectors. */
  readonly latent: Latent | null;
  /** `count` data that are not among the rows, or all there are, in an order fixed by the data; null if there are none. */
  heldOut(count: number): Promise<HeldOutData | null>;
}

function isImageShape(shape: readonly number[]): shape is readonly [number, number, number] {
  return shape.length === 3;
}

/** Whether latents are not the pixels themselves, so that means of boxes mean nothing. */
function isEncoded({ latent }: FieldData): boolean {
  return latent !== null && latent.kind !== 'identity';
}

/** The first `count` data; all of them where there are fewer, or `count` is null. */
export function firstRows(data: FieldData, count: number | null): FieldData {
  if (count === null || count >= data.rows.count) return data;
  return { ...data, rows: { ...data.rows, count }, labels: data.labels.subarray(0, count) };
}

/**
 * Images as means of boxes, size x size of them; data of that size as they are.
 * @throws ConfigError if the data are no images, or smaller ones.
 */
export function resizedData(data: FieldData, size: number): FieldData {
  const { name, shape, rows } = data;
  if (!isImageShape(shape) || isEncoded(data)) {
    throw new ConfigError({
      expected: 'images, to change their size',
      got: `${isEncoded(data) ? 'latents of an autoencoder' : 'vectors'} of ${shape.join(' x ')} numbers`,
      where: 'experiments/field-data',
      remedy: 'to leave the size out',
    });
  }
  const [channels, height, width] = shape;
  if (height === size && width === size) return { ...data, name: `${name} ${size} px` };
  const latent = identityLatent([channels, size, size]);
  return {
    ...data,
    name: `${name} ${size} px`,
    shape: latent.shape,
    latent,
    rows: {
      count: rows.count,
      elements: channels * size * size,
      read: async (first, count) => boxAverage({ values: await rows.read(first, count), shape }, size),
    },
    async heldOut(count) {
      const held = await data.heldOut(count);
      return held === null ? null : { ...held, target: boxAverage({ values: held.target, shape }, size) };
    },
  };
}

/** Sizes at which images are looked at: powers of two from 8 on below their side, and the side itself; null for vectors and latents. */
export function usualSizes(data: FieldData): number[] | null {
  const { shape } = data;
  if (!isImageShape(shape) || isEncoded(data)) return null;
  const side = Math.min(shape[1], shape[2]);
  return [...[8, 16, 32, 64, 128].filter((size) => size < side), side];
}

/** The training data of a run, mirrored ones behind them where training mirrors. */
export function runFieldData({ rows, ...data }: RunData): FieldData {
  const { name, shape, classes, latent } = data;
  const labels = new Int32Array(rows.count * (rows.mirrored ? 2 : 1));
  for (let first = 0; first < labels.length; first += rows.count) labels.set(rows.labels, first);
  return { name, shape, classes, latent, labels, rows: rowsOf(rows), heldOut: (count) => data.heldOut(count) };
}

function vectorData({ name, count, features, vectors, labels, classes }: VectorDataset): FieldData {
  const read = async (first: number, rows: number) => vectors.slice(first * features, (first + rows) * features);
  const rows = { count, elements: features, read };
  return { name, shape: [features], rows, labels, classes, latent: null, heldOut: async () => null };
}

/** Points of a density; those of its test split are held out. */
async function densityData(source: string, count: number | null): Promise<FieldData> {
  const points = await openVectors({ source, ...(count === null ? {} : { count }) });
  return {
    ...vectorData(points),
    async heldOut(wanted) {
      const { vectors, labels } = await openVectors({ source, split: 'test', count: wanted });
      return { target: vectors, labels };
    },
  };
}

/** Latents of some images. */
async function encoded(set: ImageDataset, rows: Uint32Array, latent: Latent): Promise<Float32Array> {
  return latent.encode(await readImages(set, rows));
}

async function imageData(source: string, size: number | null): Promise<FieldData> {
  const folder = isImageFolder(source);
  // Folders may hold images of any size; they bring them to one as training does.
  const options = folder && size !== null ? { size } : {};
  const set = await openDataset({ source, ...options, ...(source === 'fashion' ? {} : { heldOut: null }) });
  const shape = [set.channels, set.height, set.width];
  const latent = identityLatent(shape);
  const read = (first: number, rows: number) =>
    encoded(
      set,
      Uint32Array.from({ length: rows }, (_, i) => first + i),
      latent,
    );
  const data: FieldData = {
    name: source,
    shape,
    rows: { count: set.count, elements: elementCount(shape), read },
    labels: set.labels,
    classes: set.classes,
    latent,
    async heldOut(count) {
      if (!hasTestSplit({ source, heldOut: null })) return null;
      const test = await openDataset({ source, ...options, split: 'test' });
      const rows = spread(test.count, count);
      return { target: await encoded(test, rows, latent), labels: Int32Array.from(rows, (row) => test.labels[row]!) };
    },
  };
  return size === null || folder ? data : resizedData(data, size);
}

export interface FieldDataOptions {
  /** Data from the start of the set; null for all. Points are drawn of a named density, 10,000 where this is null. */
  readonly count?: number | null;
  /** Height and width of the images; null for those that they have. */
  readonly size?: number | null;
}

/**
 * The data of a name ('fashion', 'portraits', a density) or a path, with nothing held out but what the set itself keeps for tests.
 * @throws ConfigError or DataError if they cannot be had.
 */
export async function openFieldData(
  source: string,
  { count = null, size = null }: FieldDataOptions = {},
): Promise<FieldData> {
  if (toyDensities.some((name) => name === source)) {
    if (size !== null) throw sizeOfVectors(source);
    return densityData(source, count);
  }
  try {
    return firstRows(await imageData(source, size), count);
  } catch (error) {
    // An .npz file holds images or vectors; where it holds neither, what is wrong with the images says more.
    if (!(error instanceof DataError) || !source.endsWith('.npz') || size !== null) throw error;
    const vectors = await openVectors({ source }).catch(() => Promise.reject(error));
    return firstRows(vectorData(vectors), count);
  }
}

function sizeOfVectors(source: string): ConfigError {
  return new ConfigError({
    expected: 'images, to change their size',
    got: `the density ${source}`,
    where: 'experiments/field-data',
    remedy: 'to leave the size out',
  });
}
