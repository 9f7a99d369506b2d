import { createHash, type Hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { unreadable } from './byte-stream.ts';
import { eachConcurrently } from './each-concurrently.ts';
import type { ImageDataset } from './image-dataset.ts';
import { type FileStore, imageBytes, type MemoryStore, type PixelSource } from './pixel-source.ts';

function addPixels(hash: Hash, { rows, shape }: PixelSource, { pixels }: MemoryStore): void {
  const bytes = imageBytes(shape);
  for (const row of rows) hash.update(pixels.subarray(row * bytes, (row + 1) * bytes));
}

async function addFiles(hash: Hash, { rows }: PixelSource, { files, fit }: FileStore): Promise<void> {
  const facts = new Array<unknown>(rows.length);
  await eachConcurrently(rows.length, async (i) => {
    const file = files[rows[i]!]!;
    const { size, mtimeMs } = await stat(file).catch((cause: unknown) => Promise.reject(unreadable(file, cause)));
    facts[i] = [file, size, mtimeMs];
  });
  hash.update(JSON.stringify({ fit, facts }));
}

/**
 * SHA-256, in hexadecimal digits, of what a set shows: shape, images in their order, labels and class names. Of images in memory it reads
 * the pixels; image files stand by path, length and time of change, so that none is decoded.
 * @throws DataError if a file is gone.
 */
export async function datasetDigest(dataset: ImageDataset): Promise<string> {
  const { source, labels, classes } = dataset;
  const hash = createHash('sha256');
  const { channels, height, width } = source.shape;
  hash.update(JSON.stringify({ shape: [channels, height, width], count: dataset.count, classes }));
  hash.update(Int32Array.from(labels));
  if (source.store.kind === 'memory') addPixels(hash, source, source.store);
  else await addFiles(hash, source, source.store);
  return hash.digest('hex');
}
