/** An endless sequence of batches in the data order, read ahead of their use. */
import { ConfigError, FlowError } from '../errors.ts';
import { assembleBatch, type Batch, type VectorBatch } from './batch.ts';
import type { ImageDataset } from './image-dataset.ts';
import { dataOrder, type OrderOptions } from './order.ts';
import type { SkippedImage } from './pixel-source.ts';
import { type BatchAssembler, startPrefetchPool } from './prefetch-pool.ts';
import { decodes } from './read-pixels.ts';
import type { VectorDataset } from './vector-dataset.ts';

/** Most batch rows; more is a mistake. */
const batchLimit = 2 ** 20;

/** How a set is turned into batches. */
export interface LoaderOptions {
  /** Seed of the run: integer in [0, 2^32). */
  readonly seed: number;
  /** Rows in a batch. */
  readonly batch: number;
  /** Images seen before the first batch; default 0. */
  readonly imagesSeen?: number;
  /** Whether each epoch has its own random order; default true. */
  readonly shuffle?: boolean;
  /** Whether images are mirrored at random; default false. */
  readonly flip?: boolean;
  /**
   * Whether every batch lies within one epoch, in which an image then appears at most once and the last count mod batch images of its
   * order are left out; default false: batches run across epochs and nothing is left out.
   */
  readonly wholeBatches?: boolean;
  /**
   * Threads that read and decode; 0 reads on the calling thread (image decoding itself still runs on the thread pool of Node).
   * Default null: 1 for image files, 0 for sets in memory. The batches are the same.
   */
  readonly workers?: number | null;
  /** Batches that are read ahead; default 4, and at least one for each worker. */
  readonly ahead?: number;
}

/** The batches of a set, without end, each once and in order. */
export interface Loader<B> extends AsyncIterable<B> {
  /** The next batch; calls may overlap, and are answered in order. */
  next(): Promise<B>;
  /** Image files that could not be read and were replaced so far, by path. */
  readonly skipped: ReadonlyMap<string, SkippedImage>;
  /** Stops reading ahead and ends the threads. */
  close(): Promise<void>;
}

/**
 * Batches of an image set. The batch that starts at a given number of images seen is the same whatever the number of workers, wherever the loader
 * was started, and whether it was resumed.
 *
 * `next` rejects with DataError as `readPixels` does, and after `close`.
 * @throws ConfigError if an option is out of range.
 */
export function openLoader(dataset: ImageDataset, options: LoaderOptions): Loader<Batch> {
  const { batch, imagesSeen = 0, workers = null, ahead = 4 } = options;
  const order = dataOrder(orderOptions(dataset.count, options));
  const threads = checked('workers', workers ?? (decodes(dataset.source) ? 1 : 0), 0, 256);
  const depth = Math.max(checked('ahead', ahead, 1, 1024), threads);
  const shape = [batch, dataset.channels, dataset.height, dataset.width] as const;
  const assembler = threads === 0 ? inlineAssembler(dataset) : startPrefetchPool(dataset.source, threads);
  const skipped = new Map<string, SkippedImage>();
  const queue: Promise<Batch>[] = [];
  let seen = imagesSeen;
  let closed = false;

  async function read(start: number): Promise<Batch> {
    const indices = new Uint32Array(batch);
    const flipped = new Uint8Array(batch);
    order.fill(start, indices, flipped);
    const read = await assembler.assemble({ indices, flipped });
    for (const fault of read.skipped) if (!skipped.has(fault.file)) skipped.set(fault.file, fault);
    const labels = Int32Array.from(read.indices, (row) => dataset.labels[row]!);
    return { kind: 'images', pixels: read.pixels, shape, labels, indices: read.indices, flipped, imagesSeen: start };
  }

  function readAhead(): void {
    while (queue.length < depth) {
      const pending = read(seen);
      // A fault is reported by the `next` that meets it, which may come later.
      pending.catch(() => {});
      queue.push(pending);
      seen += batch;
    }
  }

  readAhead();
  return iterable({
    skipped,
    async next() {
      if (closed) throw new FlowError('The loader is closed.');
      const pending = queue.shift()!;
      readAhead();
      assembler.hold();
      try {
        return await pending;
      } finally {
        assembler.release();
      }
    },
    async close() {
      closed = true;
      queue.length = 0;
      await assembler.close();
    },
  });
}

/**
 * Batches of a set of vectors, by the same rules as `openLoader`; `flip`, `workers` and `ahead` have no effect.
 *
 * @throws ConfigError if an option is out of range.
 */
export function openVectorLoader(dataset: VectorDataset, options: LoaderOptions): Loader<VectorBatch> {
  const { batch, imagesSeen = 0 } = options;
  const { features } = dataset;
  const order = dataOrder({ ...orderOptions(dataset.count, options), flip: false });
  let seen = imagesSeen;
  let closed = false;
  return iterable({
    skipped: new Map<string, SkippedImage>(),
    async next() {
      if (closed) throw new FlowError('The loader is closed.');
      const indices = new Uint32Array(batch);
      const flipped = new Uint8Array(batch);
      order.fill(seen, indices, flipped);
      const vectors = new Float32Array(batch * features);
      indices.forEach((row, position) => {
        vectors.set(dataset.vectors.subarray(row * features, (row + 1) * features), position * features);
      });
      const labels = Int32Array.from(indices, (row) => dataset.labels[row]!);
      const start = seen;
      seen += batch;
      return { kind: 'vectors', vectors, shape: [batch, features], labels, indices, flipped, imagesSeen: start };
    },
    async close() {
      closed = true;
    },
  });
}

function orderOptions(count: number, options: LoaderOptions): OrderOptions {
  const { seed, batch, imagesSeen = 0, shuffle = true, flip = false, wholeBatches = false } = options;
  checked('batch', batch, 1, batchLimit);
  checked('imagesSeen', imagesSeen, 0, Number.MAX_SAFE_INTEGER);
  if (!wholeBatches) return { seed, count, shuffle, flip };
  if (batch > count) {
    throw new ConfigError({
      expected: `\`batch\` to be at most the set's ${count} images, because of \`wholeBatches\``,
      got: String(batch),
      where: 'data/loader',
      remedy: 'a smaller batch',
    });
  }
  return { seed, count, shuffle, flip, epochImages: count - (count % batch) };
}

function inlineAssembler({ source }: ImageDataset): BatchAssembler {
  return {
    assemble: (request) => assembleBatch(source, request),
    hold() {},
    release() {},
    async close() {},
  };
}

function iterable<B>(loader: Omit<Loader<B>, typeof Symbol.asyncIterator>): Loader<B> {
  return {
    ...loader,
    async *[Symbol.asyncIterator]() {
      while (true) yield await loader.next();
    },
  };
}

function checked(name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new ConfigError({
    expected: `\`${name}\` to be an integer in [${least}, ${most}]`,
    got: String(value),
    where: 'data/loader',
  });
}
