/** Which image comes next: a pure function of the seed and the images seen so far, so that resuming is replaying. */
import { ConfigError } from '../errors.ts';
import { permutation } from '../numerics/permutation.ts';
import { stream } from '../numerics/stream.ts';

/** How a set is gone through. */
export interface OrderOptions {
  /** Seed of the run: integer in [0, 2^32). */
  readonly seed: number;
  /** Images in the set, or vectors. */
  readonly count: number;
  /** Whether each epoch has its own random order; default true. */
  readonly shuffle?: boolean;
  /** Whether each image is mirrored with probability one half; default false. */
  readonly flip?: boolean;
  /**
   * Images that an epoch uses, at most `count`; default `count`. With a multiple of the batch size no batch crosses from one epoch to
   * the next: an image then meets at most one batch an epoch, and the last count - epochImages images of that epoch's order none.
   */
  readonly epochImages?: number;
}

/** The endless sequence of images, addressed by images seen. */
export interface DataOrder {
  /** Images in one epoch. */
  readonly epochImages: number;
  /**
   * Writes what is seen from image number `start` on.
   * @param start    images seen before: integer in [0, 2^53).
   * @param indices  receives the images' numbers in the set: uint32 [images].
   * @param flipped  receives 1 where the image is mirrored, else 0: uint8 [images].
   */
  fill(start: number, indices: Uint32Array, flipped: Uint8Array): void;
}

interface Epoch {
  readonly number: number;
  readonly indices: Uint32Array;
  readonly flipped: Uint8Array;
}

/**
 * Order of a set. Image number k belongs to epoch floor(k / epochImages); within the epoch the images stand in the permutation of
 * `stream(seed, 'data-order', epoch)`, and image number k is mirrored if bit k mod epochImages of `stream(seed, 'flip', epoch)` is set
 * (words in order, lowest bit first). Independent of the batch size.
 *
 * @throws ConfigError if count or epochImages is out of range.
 */
export function dataOrder(options: OrderOptions): DataOrder {
  const { seed, count, shuffle = true, flip = false, epochImages = count } = options;
  if (!Number.isInteger(count) || count < 1 || count >= 2 ** 32) throw outOfRange('count', '[1, 2^32)', count);
  if (!Number.isInteger(epochImages) || epochImages < 1 || epochImages > count) {
    throw outOfRange('epochImages', `[1, ${count}]`, epochImages);
  }

  function drawEpoch(number: number): Epoch {
    const ordered = () => Uint32Array.from({ length: count }, (_, index) => index);
    return {
      number,
      indices: shuffle ? permutation(count, stream(seed, 'data-order', number)) : ordered(),
      flipped: flip ? randomBits(epochImages, seed, number) : new Uint8Array(epochImages),
    };
  }

  // Remembered only to save time: an epoch is the same whenever it is drawn.
  let epoch = drawEpoch(0);
  return {
    epochImages,
    fill(start, indices, flipped) {
      if (!Number.isSafeInteger(start) || start < 0) throw outOfRange('imagesSeen', '[0, 2^53)', start);
      for (let done = 0; done < indices.length; ) {
        const number = Math.floor((start + done) / epochImages);
        if (number !== epoch.number) epoch = drawEpoch(number);
        const position = (start + done) % epochImages;
        const length = Math.min(indices.length - done, epochImages - position);
        indices.set(epoch.indices.subarray(position, position + length), done);
        flipped.set(epoch.flipped.subarray(position, position + length), done);
        done += length;
      }
    },
  };
}

function randomBits(length: number, seed: number, epoch: number): Uint8Array {
  const source = stream(seed, 'flip', epoch);
  const bits = new Uint8Array(length);
  let word = 0;
  for (let i = 0; i < length; i++) {
    if (i % 32 === 0) word = source.uint32();
    bits[i] = (word >>> (i % 32)) & 1;
  }
  return bits;
}

function outOfRange(name: string, range: string, got: number): ConfigError {
  return new ConfigError({
    expected: `\`${name}\` to be an integer in ${range}`,
    got: String(got),
    where: 'data/order',
  });
}
