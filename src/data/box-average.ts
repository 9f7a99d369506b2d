import { ConfigError, ShapeError } from '../errors.ts';

/** Images with their axes: any numbers, not only bytes. */
export interface FloatImages {
  /** float32 [count, channels, height, width]. */
  readonly values: Float32Array;
  /** Axes of one image. */
  readonly shape: readonly [channels: number, height: number, width: number];
}

/** How much of each old place goes into a new one. */
interface Span {
  readonly first: number;
  /** Shares that add up to 1, of places `first` and following. */
  readonly shares: readonly number[];
}

/** The old places that each of `to` equal parts of [0, from) covers. */
function spans(from: number, to: number): Span[] {
  return Array.from({ length: to }, (_, part) => {
    const [begin, end] = [(part * from) / to, ((part + 1) * from) / to];
    const first = Math.floor(begin);
    const last = Math.min(from, Math.ceil(end - 1e-9));
    const covered = (place: number) => Math.min(end, place + 1) - Math.max(begin, place);
    return { first, shares: Array.from({ length: last - first }, (_, i) => (covered(first + i) * to) / from) };
  });
}

/** Means of the middle axis over spans: float64 [outer, middle, inner] gives [outer, spans, inner]. */
function averageAxis(values: ArrayLike<number>, axes: readonly [number, number, number], parts: readonly Span[]) {
  const [outer, middle, inner] = axes;
  const means = new Float64Array(outer * parts.length * inner);
  for (let row = 0; row < outer; row++) {
    for (const [part, { first, shares }] of parts.entries()) {
      const to = (row * parts.length + part) * inner;
      for (const [i, share] of shares.entries()) {
        const from = (row * middle + first + i) * inner;
        for (let k = 0; k < inner; k++) means[to + k]! += share * values[from + k]!;
      }
    }
  }
  return means;
}

/**
 * Images brought down to size x size pixels, each the mean of the box that it covers; pixels that the edge of a box cuts count by the part
 * inside. Where the size divides height and width these are plain means of blocks. The mean of an image stays what it was.
 *
 * @param size  pixels, at most height and width.
 * @returns float32 [count, channels, size, size], from float64 sums.
 * @throws ConfigError if the size is larger than the images; ShapeError if the values do not fill whole images.
 */
export function boxAverage({ values, shape }: FloatImages, size: number): Float32Array {
  const [channels, height, width] = shape;
  const elements = channels * height * width;
  if (values.length % elements !== 0) {
    throw new ShapeError({
      expected: `\`values\` to be [count, ${shape.join(', ')}]`,
      got: `${values.length} numbers`,
      where: 'data/box-average',
    });
  }
  if (!Number.isInteger(size) || size < 1 || size > Math.min(height, width)) {
    throw new ConfigError({
      expected: `a size of 1 to ${Math.min(height, width)} pixels, as images are only made smaller`,
      got: String(size),
      where: 'data/box-average',
    });
  }
  const planes = values.length / (height * width);
  const rows = averageAxis(values, [planes, height, width], spans(height, size));
  return Float32Array.from(averageAxis(rows, [planes * size, width, 1], spans(width, size)));
}
