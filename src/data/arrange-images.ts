/** Arrays of images in any usual layout -> images in shared memory, channels first. */
import { DataError } from '../errors.ts';
import type { ImageShape } from './pixel-source.ts';

/** Images and the axes of one. */
export interface ArrangedImages {
  /** uint8 [count, channels, height, width], in shared memory. */
  readonly pixels: Uint8Array;
  readonly shape: ImageShape;
}

/**
 * Images of an array with axes [count, height, width], [count, height, width, channels] or [count, channels, height, width], where
 * channels is 1 or 3; if both places have 1 or 3, the last axis is taken for the channels.
 *
 * @throws DataError, naming `file`, for other axes or an empty array.
 */
export function arrangeImages(file: string, axes: readonly number[], values: Uint8Array): ArrangedImages {
  const [, a = 0, b = 0, c = 0] = axes;
  if (values.length > 0 && axes.length === 3) {
    return { pixels: shareBytes(values), shape: { channels: 1, height: a, width: b } };
  }
  if (values.length > 0 && axes.length === 4 && (c === 1 || c === 3)) {
    return { pixels: channelsFirst(values, a * b, c), shape: { channels: c, height: a, width: b } };
  }
  if (values.length > 0 && axes.length === 4 && (a === 1 || a === 3)) {
    return { pixels: shareBytes(values), shape: { channels: a, height: b, width: c } };
  }
  throw new DataError({
    expected: `\`${file}\` to hold images with axes [count, height, width], or four axes with 1 or 3 channels`,
    got: `axes [${axes.join(', ')}]`,
    where: 'data',
    remedy: 'to reshape the array before saving it',
  });
}

/** The values in memory that worker threads can share: a copy unless they are there already. */
function shareBytes(values: Uint8Array): Uint8Array {
  if (values.buffer instanceof SharedArrayBuffer) return values;
  const shared = new Uint8Array(new SharedArrayBuffer(values.length));
  shared.set(values);
  return shared;
}

/**
 * The same images with the channel axis first.
 *
 * @param values  uint8 [images, height, width, channels].
 * @returns uint8 [images, channels, height, width], in shared memory.
 */
function channelsFirst(values: Uint8Array, pixelsPerImage: number, channels: number): Uint8Array {
  if (channels === 1) return shareBytes(values);
  const out = new Uint8Array(new SharedArrayBuffer(values.length));
  const bytes = pixelsPerImage * channels;
  for (let start = 0; start < values.length; start += bytes) {
    for (let channel = 0; channel < channels; channel++) {
      const plane = start + channel * pixelsPerImage;
      for (let pixel = 0; pixel < pixelsPerImage; pixel++) {
        out[plane + pixel] = values[start + pixel * channels + channel]!;
      }
    }
  }
  return out;
}
