/** Images or vectors with labels in NumPy's .npz files. */
import { readFile } from 'node:fs/promises';
import { DataError } from '../errors.ts';
import type { NpyArray } from '../formats/npy.ts';
import { readNpz } from '../formats/npz.ts';
import { readZipDirectory } from '../formats/zip.ts';
import { arrangeImages } from './arrange-images.ts';
import { reason, unreadable } from './byte-stream.ts';
import { memoryLimitBytes } from './idx.ts';
import { type ImageDataset, memoryDataset } from './image-dataset.ts';
import { labelAttribute } from './label-attribute.ts';
import type { VectorDataset } from './vector-dataset.ts';

/** Names under which the values are looked for, in this order; arr_0 is NumPy's name for an unnamed array. */
const valueNames = ['images', 'x', 'arr_0'];
/** Likewise for the labels. */
const labelNames = ['labels', 'y', 'arr_1'];

interface LabelledArray {
  readonly values: NpyArray;
  readonly labels: ArrayLike<number> | null;
}

/**
 * Images of an .npz file: array `images`, `x` or `arr_0`, uint8, with axes as `arrangeImages`; labels `labels`, `y` or `arr_1`, integers.
 *
 * @throws DataError if the file is damaged, or its arrays are not such.
 */
export async function openNpzImages(path: string): Promise<ImageDataset> {
  const { values, labels } = await readLabelled(path);
  if (values.dtype !== 'uint8') throw fault(path, 'images of dtype uint8, values 0 to 255', `dtype ${values.dtype}`);
  const arranged = arrangeImages(path, values.shape, values.data);
  return memoryDataset(path, arranged, labels === null ? [] : [labelAttribute(path, labels, null)]);
}

/**
 * Vectors of an .npz file: array `x`, `images` or `arr_0`, float32 or float64, axes [count, features]; labels as `openNpzImages`.
 *
 * @param axes  lengths of the axes behind the first, where a vector is a map: latents [channels, height, width]. Default null: one, of any
 *   length.
 * @throws DataError if the file is damaged, its arrays are not such, or a value is not finite.
 */
export async function openNpzVectors(path: string, axes: readonly number[] | null = null): Promise<VectorDataset> {
  const { values, labels } = await readLabelled(path);
  const { dtype, shape, data } = values;
  const [count, ...rest] = shape;
  const fits = axes === null ? rest.length === 1 : `${rest}` === `${axes}`;
  if ((dtype !== 'float32' && dtype !== 'float64') || !fits || data.length === 0) {
    const expected = `vectors, float32 or float64 [count, ${axes === null ? 'features' : axes.join(', ')}]`;
    throw fault(path, expected, `${dtype} [${shape.join(', ')}]`);
  }
  const features = data.length / count!;
  const vectors = Float32Array.from(data);
  const stray = vectors.findIndex((value) => !Number.isFinite(value));
  if (stray !== -1) throw fault(path, 'finite values', `${data[stray]} in vector ${Math.floor(stray / features)}`);
  const attribute = labels === null ? null : labelAttribute(path, labels, null);
  return {
    kind: 'vectors',
    name: path,
    count: count!,
    features,
    vectors,
    labels: attribute?.values ?? new Int32Array(count!),
    classes: attribute?.classes ?? null,
  };
}

async function readLabelled(path: string): Promise<LabelledArray> {
  const bytes = await readFile(path).catch((cause: unknown) => Promise.reject(unreadable(path, cause)));
  let present: string[];
  let arrays: ReadonlyMap<string, NpyArray>;
  try {
    present = readZipDirectory(bytes).map((member) => member.name.replace(/\.npy$/, ''));
    const names = [...valueNames, ...labelNames].filter((name) => present.includes(name));
    arrays = readNpz(bytes, { names, mostBytes: memoryLimitBytes });
  } catch (cause) {
    throw new DataError({
      expected: `\`${path}\` to be an intact .npz file`,
      got: `this fault: ${reason(cause)}`,
      where: 'data/npz-arrays',
      remedy: 'to write it again with numpy.savez',
      cause,
    });
  }
  const values = firstOf(arrays, valueNames);
  if (values === null) throw fault(path, `an array named ${valueNames.join(', ')}`, `arrays ${present.join(', ')}`);
  const labels = firstOf(arrays, labelNames);
  if (labels === null) return { values, labels: null };
  if (labels.shape.length !== 1 || labels.shape[0] !== values.shape[0]) {
    throw fault(path, `one label for each of the ${values.shape[0]} rows`, `labels [${labels.shape.join(', ')}]`);
  }
  return { values, labels: Array.from(labels.data, Number) };
}

function firstOf(arrays: ReadonlyMap<string, NpyArray>, names: readonly string[]): NpyArray | null {
  const name = names.find((candidate) => arrays.has(candidate));
  return name === undefined ? null : arrays.get(name)!;
}

function fault(path: string, expected: string, got: string): DataError {
  return new DataError({
    expected: `\`${path}\` to hold ${expected}`,
    got,
    where: 'data/npz-arrays',
    remedy: 'to write it again with numpy.savez(path, x=..., y=...)',
  });
}
