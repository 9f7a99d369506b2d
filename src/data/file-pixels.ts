/** Pixels that are decoded from image files when they are wanted, and kept in shared memory if they fit. */
import { DataError } from '../errors.ts';
import { reason } from './byte-stream.ts';
import { decodeImage } from './decode-image.ts';
import { eachConcurrently } from './each-concurrently.ts';
import {
  type FileStore,
  imageBytes,
  type PixelCache,
  type PixelSource,
  type ReadOutcome,
  type ReadRequest,
  type SkippedImage,
} from './pixel-source.ts';

const decoded = 1;

/** A cache for `images` images, or null if it would take more than `limitBytes`. */
export function createCache(images: number, bytesPerImage: number, limitBytes: number): PixelCache | null {
  if (images * bytesPerImage > limitBytes) return null;
  return {
    pixels: new Uint8Array(new SharedArrayBuffer(images * bytesPerImage)),
    states: new Uint8Array(new SharedArrayBuffer(images)),
  };
}

/** Decodes the rows `wanted` into `out`; see `readPixels`. */
export async function readFilePixels(
  source: PixelSource,
  store: FileStore,
  { wanted, out }: ReadRequest,
): Promise<ReadOutcome> {
  const bytes = imageBytes(source.shape);
  const used = Uint32Array.from(wanted);
  const skipped: SkippedImage[] = [];
  const count = source.rows.length;
  await eachConcurrently(wanted.length, async (position) => {
    const place = out.subarray(position * bytes, (position + 1) * bytes);
    for (let step = 0; step < count; step++) {
      const candidate = (wanted[position]! + step) % count;
      used[position] = candidate;
      const fault = await readImage(source, store, { image: source.rows[candidate]!, out: place });
      if (fault === null) return;
      if (store.strict) throw strictFault(fault);
      skipped.push(fault);
    }
    throw new DataError({
      expected: 'at least one readable image',
      got: `${count} unreadable ones`,
      where: 'data/file-pixels',
      remedy: `other files; the first fault is ${skipped[0]?.file}: ${skipped[0]?.reason}`,
    });
  });
  return { used, skipped };
}

/** Reads one image from the cache or its file; returns what is wrong with it, or null. */
async function readImage(
  { shape }: PixelSource,
  { files, fit, cache }: FileStore,
  { image, out }: { readonly image: number; readonly out: Uint8Array },
): Promise<SkippedImage | null> {
  const start = image * out.length;
  if (cache !== null && Atomics.load(cache.states, image) === decoded) {
    out.set(cache.pixels.subarray(start, start + out.length));
    return null;
  }
  try {
    await decodeImage(files[image]!, { shape, fit }, out);
  } catch (cause) {
    return { file: files[image]!, reason: reason(cause) };
  }
  if (cache !== null) {
    cache.pixels.set(out, start);
    Atomics.store(cache.states, image, decoded);
  }
  return null;
}

/** The error that an unreadable image becomes when a set is read strictly. */
export function strictFault({ file, reason: got }: SkippedImage): DataError {
  return new DataError({
    expected: `\`${file}\` to be a readable image`,
    got,
    where: 'data/file-pixels',
    remedy: 'to remove or replace the file, or to read without `strict`, which skips such images and counts them',
  });
}
