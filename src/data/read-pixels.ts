import { readFilePixels } from './file-pixels.ts';
import { readMemoryPixels } from './memory-pixels.ts';
import type { PixelSource, ReadOutcome, ReadRequest } from './pixel-source.ts';

/** Whether reading takes long enough (decoding) that worker threads pay off. */
export function decodes(source: PixelSource): boolean {
  return source.store.kind === 'files';
}

/**
 * Pixels of the wanted rows, written to `request.out`.
 *
 * An image that cannot be decoded is replaced by the next row (cyclically) that can, so that a batch is always full; which
 * row that is depends on the files alone. If the source is strict, it ends the reading instead.
 * @throws DataError if an image is unreadable and the source is strict, or if no image is readable.
 */
export function readPixels(source: PixelSource, request: ReadRequest): Promise<ReadOutcome> {
  const { store } = source;
  // The two kinds of store are closed: a new file format becomes one of them when it is opened.
  return store.kind === 'memory'
    ? Promise.resolve(readMemoryPixels(source, store, request))
    : readFilePixels(source, store, request);
}
