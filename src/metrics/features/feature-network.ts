/** What turns images into the features that metrics compare. */
import { ShapeError } from '../../errors.ts';

/** Channels, height and width of images. */
export type ImageShape = readonly [number, number, number];

/** A function from images to features. Calls may overlap; they are served one after the other. */
export interface FeatureNetwork {
  /** Network, layer, input size, range and resize as conventions name them, e.g. 'mixed5 299 tf1-bilinear [0,1]'. */
  readonly network: string;
  /** sha256 of the network's file, first 16 hex digits; `null` for features without one. */
  readonly hash: string | null;
  /** Numbers of one image's features. */
  readonly dimensions: number;
  /**
   * Features of some images.
   * @param pixels  uint8 [count, channels, height, width], which must not change before the promise is kept.
   * @param shape  [channels, height, width].
   * @returns float32 [count, dimensions].
   * @throws ShapeError if the pixels do not fill whole images, or the network does not take images of this shape.
   */
  extract(pixels: Uint8Array, shape: ImageShape): Promise<Float32Array>;
  /** Probabilities of classes where the network classifies, float32 [count, classes]; absent otherwise. */
  classify?(pixels: Uint8Array, shape: ImageShape): Promise<Float32Array>;
  /** Gives memory back; later calls throw. Idempotent. */
  release(): void;
}

/** Number of images. @throws ShapeError if the pixels do not fill whole images. */
export function imagesIn(pixels: Uint8Array, shape: ImageShape, where: string): number {
  const size = shape.reduce((product, n) => product * n, 1);
  if (shape.every((n) => Number.isInteger(n) && n > 0) && pixels.length % size === 0) return pixels.length / size;
  throw new ShapeError({
    expected: `\`pixels\` to be whole images of [channels, height, width] = [${shape.join(', ')}]`,
    got: `${pixels.length} numbers`,
    where,
  });
}
