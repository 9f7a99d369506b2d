/** Where pixels come from. Its description can be sent to a worker thread, which then reads the same pixels. */

/** Axes of one image. */
export interface ImageShape {
  /** 1 (grey) or 3 (red, green, blue). */
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** An image that could not be used. */
export interface SkippedImage {
  readonly file: string;
  /** What is wrong with it, on one line. */
  readonly reason: string;
}

/** The rows to read and where to write them. */
export interface ReadRequest {
  /** Row numbers below `source.rows.length`: uint32 [wanted]. */
  readonly wanted: Uint32Array;
  /** uint8 [wanted, channels, height, width]. */
  readonly out: Uint8Array;
}

/** Pixels by row number: where they are kept, and which of the kept images the rows are. */
export interface PixelSource {
  readonly shape: ImageShape;
  /** Images in the store, in the order of the rows: uint32 [count]. */
  readonly rows: Uint32Array;
  readonly store: PixelStore;
}

/** Where images are kept; everything in it is a plain record, so that `postMessage` can copy it. */
export type PixelStore = MemoryStore | FileStore;

/** All images of a set, in memory. */
export interface MemoryStore {
  readonly kind: 'memory';
  /** uint8 [images, channels, height, width], in shared memory. */
  readonly pixels: Uint8Array;
}

/** Image files with the way to decode them. */
export interface FileStore {
  readonly kind: 'files';
  readonly files: readonly string[];
  readonly fit: Fit;
  /** Whether an unreadable image ends the reading. */
  readonly strict: boolean;
  /** Decoded images, shared between threads; null if they would not fit. */
  readonly cache: PixelCache | null;
}

/** How an image is brought to the wanted size; always with Lanczos-3 filtering. */
export type Fit =
  /** The shorter side is scaled to the size, then the middle is cut out. */
  | 'crop'
  /** Both sides are scaled, without keeping their ratio. */
  | 'stretch'
  /** The longer side is scaled to the size, then white is added. */
  | 'pad';

/** Memory for every image of a store. Threads may write the same image twice: the bytes are the same. */
export interface PixelCache {
  /** uint8 [images, channels, height, width]. */
  readonly pixels: Uint8Array;
  /** Per image: 0 not decoded yet, 1 decoded (set after the pixels are written). uint8 [images]. */
  readonly states: Uint8Array;
}

/** What reading some rows gave besides the pixels. */
export interface ReadOutcome {
  /** Rows whose pixels were written: the wanted ones, except where an unreadable image was replaced. uint32 [wanted]. */
  readonly used: Uint32Array;
  /** Unreadable images met on the way. */
  readonly skipped: readonly SkippedImage[];
}

/** Bytes of one image. */
export function imageBytes({ channels, height, width }: ImageShape): number {
  return channels * height * width;
}
