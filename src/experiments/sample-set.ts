/** Images or vectors that come in parts, wherever they come from: data, folders, a model. What evaluation compares. */
import { type ImageDataset, readImages } from '../data/image-dataset.ts';
import type { FieldData } from './field-data.ts';
import { type StoredData, spread } from './stored-data.ts';

/** Some samples, rows aligned. */
export interface SamplePart {
  /** Images as uint8 [rows, channels, height, width], vectors as float32 [rows, features]. */
  readonly values: Uint8Array | Float32Array;
  /** int32 [rows]; `null` without labels. */
  readonly labels: Int32Array | null;
}

/** Samples that can be gone through. */
export interface SampleSet {
  /** What conventions and progress call it. */
  readonly name: string;
  readonly count: number;
  /** [channels, height, width] of images, [features] of vectors. */
  readonly shape: readonly number[];
  /** Names of the classes of labels; `null` without labels. */
  readonly classes: readonly string[] | null;
  /** All samples in order. @throws the signal's reason once it is aborted. */
  parts(signal: AbortSignal): AsyncIterable<SamplePart>;
}

/** Data of which a set can be taken. */
export interface Population extends Omit<SampleSet, 'parts'> {
  /** Label of each: int32 [count]; all 0 without labels. */
  readonly labels: Int32Array;
  /** Values of some rows in ascending order. */
  read(rows: Uint32Array): Promise<Uint8Array | Float32Array>;
}

/** Samples that are read together. */
const partSamples = 256;

/** At most `limit` of some data, spread evenly; all of them by default. */
export function takeSamples(data: Population, limit: number = data.count): SampleSet {
  const { name, shape, classes, labels } = data;
  const rows = spread(data.count, limit);
  return {
    name: rows.length < data.count ? `${name}, ${rows.length} of ${data.count}` : name,
    count: rows.length,
    shape,
    classes,
    async *parts(signal) {
      for (let start = 0; start < rows.length; start += partSamples) {
        signal.throwIfAborted();
        const part = rows.slice(start, start + partSamples);
        yield {
          values: await data.read(part),
          labels: classes === null ? null : Int32Array.from(part, (row) => labels[row]!),
        };
      }
    },
  };
}

/** Data as they are stored. */
export function storedPopulation(data: StoredData, name: string): Population {
  const { count, classes, labels } = data;
  const facts = { name, count, classes, labels };
  if (data.kind === 'vectors') {
    const { features, vectors } = data;
    return { ...facts, shape: [features], read: async (rows) => rowsOf(vectors, { rows, elements: features }) };
  }
  const dataset: ImageDataset = data;
  const shape = [dataset.channels, dataset.height, dataset.width];
  return { ...facts, shape, read: (rows) => readImages(dataset, rows) };
}

/** Some rows of [count, elements]. */
function rowsOf(
  values: Float32Array,
  { rows, elements }: { readonly rows: Uint32Array; readonly elements: number },
): Float32Array {
  const chosen = new Float32Array(rows.length * elements);
  for (const [i, row] of rows.entries())
    chosen.set(values.subarray(row * elements, (row + 1) * elements), i * elements);
  return chosen;
}

/** The data that an exact field is made of. */
export function fieldPopulation({ name, shape, rows: kept, labels, classes, latent }: FieldData): Population {
  const { elements } = kept;
  return {
    name,
    count: kept.count,
    shape,
    classes,
    labels,
    async read(rows) {
      const first = rows[0]!;
      const block = await kept.read(first, rows.at(-1)! - first + 1);
      const latents = rowsOf(block, { rows: rows.map((row) => row - first), elements });
      return latent === null ? latents : latent.decode(latents);
    },
  };
}

/** Data that an exact field is not made of; `null` if there are none. */
export async function heldOutPopulation(data: FieldData, limit: number): Promise<Population | null> {
  const held = await data.heldOut(limit);
  if (held === null) return null;
  const { target, labels } = held;
  const { elements } = data.rows;
  const read = async (first: number, rows: number) => target.slice(first * elements, (first + rows) * elements);
  const rows = { count: labels.length, elements, read };
  return fieldPopulation({ ...data, name: `${data.name} held out`, rows, labels });
}
