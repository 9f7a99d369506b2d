/** How 8-bit images become the input of a network: channels, range and size. */
import { add, cast, concat, constantTensor, gather, multiply } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { ConfigError, ShapeError } from '../../errors.ts';
import { type ResizeKind, resizeImages } from './resize.ts';

/** Mean and standard deviation of red, green and blue in [0, 1], which are subtracted and divided by. */
export interface ChannelMoments {
  readonly mean: readonly [number, number, number];
  readonly deviation: readonly [number, number, number];
}

/** Ranges by name; pixels p are 0 to 255. `(p-128)/128` is that of the original Inception graph. */
const ranges = {
  '[0,1]': { gain: 1 / 255, offset: 0 },
  '[-1,1]': { gain: 2 / 255, offset: -1 },
  '[0,255]': { gain: 1, offset: 0 },
  '(p-128)/128': { gain: 1 / 128, offset: -1 },
} as const;

export type RangeName = keyof typeof ranges;
export const rangeNames = Object.keys(ranges) as readonly RangeName[]; // the keys of the table above

/** What a network expects of its input. */
export interface ImagePreparation {
  /** Height and width of the input. */
  readonly size: readonly [number, number];
  readonly resize: ResizeKind;
  readonly range: RangeName | ChannelMoments;
  readonly channels: 'rgb' | 'bgr';
}

/** The preparation as conventions name it, e.g. '299 tf1-bilinear [0,1]'. */
export function describePreparation({ size: [height, width], resize, range, channels }: ImagePreparation): string {
  const moments = ({ mean, deviation }: ChannelMoments) => `mean ${mean.join(',')} std ${deviation.join(',')}`;
  const parts = [height === width ? String(height) : `${height}x${width}`, resize];
  return [...parts, typeof range === 'string' ? range : moments(range), ...(channels === 'bgr' ? ['bgr'] : [])].join(
    ' ',
  );
}

/** @throws ConfigError unless sizes are positive integers and deviations positive. */
export function checkPreparation({ size, range }: ImagePreparation, where: string): void {
  if (!size.every((n) => Number.isInteger(n) && n > 0)) {
    throw new ConfigError({ expected: '`size` to be positive integers', got: size.join(' x '), where });
  }
  if (typeof range === 'string') return;
  if (range.mean.every(Number.isFinite) && range.deviation.every((value) => value > 0)) return;
  const expected = '`range` to have finite means and positive deviations';
  throw new ConfigError({ expected, got: JSON.stringify(range), where });
}

function threeChannels(x: Tensor): Tensor {
  return x.shape[1] === 1 ? concat([x, x, x], 1) : x;
}

/** Ranges act on pixels alike and commute with resizing, so they are taken on images as they come; grey ones stay grey as long. */
function inRange(x: Tensor, range: RangeName | ChannelMoments): Tensor {
  if (typeof range === 'string') {
    const { gain, offset } = ranges[range];
    const scaled = gain === 1 ? x : multiply(x, gain);
    return offset === 0 ? scaled : add(scaled, offset);
  }
  const perChannel = (values: readonly number[]) => constantTensor(values, [3, 1, 1]);
  const gain = range.deviation.map((deviation) => 1 / (255 * deviation));
  const offset = range.mean.map((mean, channel) => -mean / range.deviation[channel]!);
  return add(multiply(threeChannels(x), perChannel(gain)), perChannel(offset));
}

/**
 * Input of a network from images.
 * @param pixels  uint8 (or float32 in 0 to 255, to differentiate) [batch, channels, height, width]; one channel stands for three equal ones.
 * @returns float32 [batch, 3, ...size].
 * @throws ShapeError for other numbers of channels than one and three.
 */
export function prepareImages(pixels: Tensor, { size, resize, range, channels }: ImagePreparation): Tensor {
  const count = pixels.shape[1];
  if (count !== 1 && count !== 3) {
    throw new ShapeError({
      expected: 'images of one or three channels',
      got: `${count}`,
      where: 'metrics/features/image-preparation',
    });
  }
  const ranged = inRange(pixels.dtype === 'float32' ? pixels : cast(pixels, 'float32'), range);
  const ordered =
    channels === 'bgr' && ranged.shape[1] === 3 ? gather(ranged, constantTensor([2, 1, 0], [3], 'int64'), 1) : ranged;
  return threeChannels(resizeImages(ordered, resize, size));
}
