/** Images or vectors that come in parts, wherever they come from: data, folders, a model. What evaluation compares. */
import { type ImageDataset, readImages } from '../data/image-dataset.ts';
import { type StoredData, spread } from './run-data.ts';

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

/** Images that are read together. */
const partImages = 256;

/** Vectors or images of stored data: all, or at most `limit` of them, spread evenly. */
export function storedSamples(data: StoredData, name: string, limit: number = data.count): SampleSet {
  const rows = spread(data.count, limit);
  const called = rows.length < data.count ? `${name}, ${rows.length} of ${data.count}` : name;
  const facts = { name: called, count: rows.length, classes: data.classes };
  if (data.kind === 'images') {
    const shape = [data.channels, data.height, data.width];
    return { ...facts, shape, parts: (signal) => imageParts(data, rows, signal) };
  }
  const { features, vectors, labels, classes } = data;
  const values = new Float32Array(rows.length * features);
  for (const [i, row] of rows.entries())
    values.set(vectors.subarray(row * features, (row + 1) * features), i * features);
  return {
    ...facts,
    shape: [features],
    async *parts() {
      yield { values, labels: classes === null ? null : Int32Array.from(rows, (row) => labels[row]!) };
    },
  };
}

async function* imageParts(dataset: ImageDataset, rows: Uint32Array, signal: AbortSignal): AsyncGenerator<SamplePart> {
  const labelled = dataset.classes !== null;
  for (let start = 0; start < rows.length; start += partImages) {
    signal.throwIfAborted();
    const part = rows.slice(start, start + partImages);
    yield {
      values: await readImages(dataset, part),
      labels: labelled ? Int32Array.from(part, (row) => dataset.labels[row]!) : null,
    };
  }
}
