/** Pixels that lie in memory, shared with worker threads. */
import { imageBytes, type MemoryStore, type PixelSource, type ReadOutcome, type ReadRequest } from './pixel-source.ts';

/** Copies the pixels of rows `wanted` to `out`; see `readPixels`. */
export function readMemoryPixels(
  { shape, rows }: PixelSource,
  { pixels }: MemoryStore,
  { wanted, out }: ReadRequest,
): ReadOutcome {
  const bytes = imageBytes(shape);
  wanted.forEach((row, position) => {
    const start = rows[row]! * bytes;
    out.set(pixels.subarray(start, start + bytes), position * bytes);
  });
  return { used: wanted, skipped: [] };
}
