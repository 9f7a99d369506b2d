/** Data as the exact field takes them: rows of latents from a name or a path, or from the run that was trained on them. */
import { boxAverage } from '../data/box-average.ts';
import { readImages } from '../data/image-dataset.ts';
import { isImageFolder, openDataset, openVectors } from '../data/open-dataset.ts';
import { toyDensities } from '../data/toy-densities.ts';
import type { VectorDataset } from '../data/vector-dataset.ts';
import { elementCount } from '../engine/shape.ts';
import { ConfigError, DataError } from '../errors.ts';
import { identityLatent } from '../latent/identity.ts';
import type { KeptRows } from '../numerics/kept-rows.ts';
import { rowsOf } from './exact-field.ts';
import type { RunData } from './run-data.ts';

/** Latents by row. */
export interface FieldData {
  /** What tables and charts call the data. */
  readonly name: string;
  /** Shape of a datum: [channels, height, width] of images, [features] of vectors. */
  readonly shape: readonly number[];
  readonly rows: KeptRows;
}

function isImageShape(shape: readonly number[]): shape is readonly [number, number, number] {
  return shape.length === 3;
}

/** The first `count` data; all of them where there are fewer, or `count` is null. */
export function firstRows(data: FieldData, count: number | null): FieldData {
  if (count === null || count >= data.rows.count) return data;
  return { ...data, rows: { ...data.rows, count } };
}

/**
 * Images as means of boxes, size x size of them; data of that size as they are.
 * @throws ConfigError if the data are no images, or smaller ones.
 */
export function resizedData(data: FieldData, size: number): FieldData {
  const { name, shape, rows } = data;
  if (!isImageShape(shape)) {
    throw new ConfigError({
      expected: 'images, to change their size',
      got: `vectors of ${shape.join(' x ')} numbers`,
      where: 'experiments/field-data',
      remedy: 'to leave the size out',
    });
  }
  const [channels, height, width] = shape;
  if (height === size && width === size) return { ...data, name: `${name} ${size} px` };
  return {
    name: `${name} ${size} px`,
    shape: [channels, size, size],
    rows: {
      count: rows.count,
      elements: channels * size * size,
      read: async (first, count) => boxAverage({ values: await rows.read(first, count), shape }, size),
    },
  };
}

/** Sizes at which images are looked at: powers of two from 8 on below their side, and the side itself; null for vectors. */
export function usualSizes({ shape }: FieldData): number[] | null {
  if (!isImageShape(shape)) return null;
  const side = Math.min(shape[1], shape[2]);
  return [...[8, 16, 32, 64, 128].filter((size) => size < side), side];
}

/** The training data of a run, mirrored ones behind them where training mirrors. */
export function runFieldData({ name, shape, rows }: RunData): FieldData {
  return { name, shape, rows: rowsOf(rows) };
}

function vectorData({ name, count, features, vectors }: VectorDataset): FieldData {
  const read = async (first: number, rows: number) => vectors.slice(first * features, (first + rows) * features);
  return { name, shape: [features], rows: { count, elements: features, read } };
}

async function imageData(source: string, size: number | null): Promise<FieldData> {
  const folder = isImageFolder(source);
  // Folders may hold images of any size; they bring them to one as training does.
  const options = folder && size !== null ? { size } : {};
  const set = await openDataset({ source, ...options, ...(source === 'fashion' ? {} : { heldOut: null }) });
  const shape = [set.channels, set.height, set.width];
  const latent = identityLatent(shape);
  const read = async (first: number, rows: number) =>
    latent.encode(
      await readImages(
        set,
        Uint32Array.from({ length: rows }, (_, i) => first + i),
      ),
    );
  const data = { name: source, shape, rows: { count: set.count, elements: elementCount(shape), read } };
  return size === null || folder ? data : resizedData(data, size);
}

export interface FieldDataOptions {
  /** Data from the start of the set; null for all. Points are drawn of a named density, 10,000 where this is null. */
  readonly count?: number | null;
  /** Height and width of the images; null for those that they have. */
  readonly size?: number | null;
}

/**
 * The data of a name ('fashion', 'portraits', a density) or a path, with nothing held out but fashion's test images.
 * @throws ConfigError or DataError if they cannot be had.
 */
export async function openFieldData(
  source: string,
  { count = null, size = null }: FieldDataOptions = {},
): Promise<FieldData> {
  if (toyDensities.some((name) => name === source)) {
    if (size !== null) throw sizeOfVectors(source);
    return vectorData(await openVectors({ source, ...(count === null ? {} : { count }) }));
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
