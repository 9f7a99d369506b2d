/** The records that leave this folder, and how one is filled. */
import { type ImageShape, imageBytes, type PixelSource, type SkippedImage } from './pixel-source.ts';
import { readPixels } from './read-pixels.ts';

/** What batches of images and of vectors have in common; rows are aligned. */
export interface BatchRows {
  /** Class of each row: int32 [batch]. */
  readonly labels: Int32Array;
  /** Number of each row in its data set: uint32 [batch]. */
  readonly indices: Uint32Array;
  /** 1 where the image was mirrored left to right, else 0: uint8 [batch]. */
  readonly flipped: Uint8Array;
  /** Images seen before this batch. */
  readonly imagesSeen: number;
}

/** Some images of a set. */
export interface Batch extends BatchRows {
  readonly kind: 'images';
  /** uint8 [batch, channels, height, width]. */
  readonly pixels: Uint8Array;
  /** [batch, channels, height, width]. */
  readonly shape: readonly [batch: number, channels: number, height: number, width: number];
}

/** Some vectors of a set. */
export interface VectorBatch extends BatchRows {
  readonly kind: 'vectors';
  /** float32 [batch, features]. */
  readonly vectors: Float32Array;
  /** [batch, features]. */
  readonly shape: readonly [batch: number, features: number];
}

/** Rows to read and whether to mirror them. */
export interface BatchRequest {
  readonly indices: Uint32Array;
  readonly flipped: Uint8Array;
}

/** Pixels of a batch, with the rows that they really are (see `readPixels`). */
export interface BatchPixels {
  readonly pixels: Uint8Array;
  readonly indices: Uint32Array;
  readonly skipped: readonly SkippedImage[];
}

/**
 * Reads and mirrors the images of one batch.
 *
 * @throws DataError as `readPixels`.
 */
export async function assembleBatch(source: PixelSource, { indices, flipped }: BatchRequest): Promise<BatchPixels> {
  const bytes = imageBytes(source.shape);
  const pixels = new Uint8Array(indices.length * bytes);
  const { used, skipped } = await readPixels(source, { wanted: indices, out: pixels });
  flipped.forEach((flip, row) => {
    if (flip === 1) mirror(pixels.subarray(row * bytes, (row + 1) * bytes), source.shape);
  });
  return { pixels, indices: used, skipped };
}

/** Mirrors an image left to right, in place. */
function mirror(pixels: Uint8Array, { width }: ImageShape): void {
  for (let start = 0; start < pixels.length; start += width) {
    for (let left = start, right = start + width - 1; left < right; left++, right--) {
      const moved = pixels[left]!;
      pixels[left] = pixels[right]!;
      pixels[right] = moved;
    }
  }
}
