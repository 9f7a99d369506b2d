/** How `Resize` reads one axis: each output is a weighted sum of elements of that axis. */

export type CoordinateMode =
  | 'half_pixel'
  | 'half_pixel_symmetric'
  | 'pytorch_half_pixel'
  | 'align_corners'
  | 'asymmetric'
  | 'tf_half_pixel_for_nn'
  | 'tf_crop_and_resize';

export type NearestMode = 'round_prefer_floor' | 'round_prefer_ceil' | 'floor' | 'ceil';

/** One axis of a resizing. */
export interface ResizeAxis {
  readonly from: number;
  readonly to: number;
  /** Outputs per element, as the file gives it: not always to / from. */
  readonly scale: number;
  /** Part of the axis that is resized, for `tf_crop_and_resize`, as fractions of from - 1. */
  readonly region: readonly [start: number, end: number];
}

/** Rounds to float32. */
const single = Math.fround;

/**
 * Place of output i among the elements, counted in elements from the first one's centre. It is rounded to float32 at each step, as
 * runtimes do: places that are whole numbers by intent then are.
 */
export function coordinate(mode: CoordinateMode, i: number, { from, to, scale, region }: ResizeAxis): number {
  const halfPixel = () => single(single((i + 0.5) / single(scale)) - 0.5);
  switch (mode) {
    case 'half_pixel':
      return halfPixel();
    case 'half_pixel_symmetric':
      // The outputs that a fractional size would have are centred on those that there are.
      return single((from - to / scale) / 2 + halfPixel());
    case 'pytorch_half_pixel':
      return to > 1 ? halfPixel() : 0;
    case 'align_corners':
      return to > 1 ? single((i * (from - 1)) / (to - 1)) : 0;
    case 'asymmetric':
      return single(i / single(scale));
    case 'tf_half_pixel_for_nn':
      return single((i + 0.5) / single(scale));
    case 'tf_crop_and_resize': {
      const [start, end] = region;
      if (to <= 1) return single(0.5 * (start + end) * (from - 1));
      return single(single(start * (from - 1)) + single((i * single(end - start) * (from - 1)) / (to - 1)));
    }
  }
}

/** The element that a place reads. */
export function nearest(mode: NearestMode, place: number, from: number): number {
  const rounded = {
    round_prefer_floor: () => Math.ceil(place - 0.5),
    round_prefer_ceil: () => Math.floor(place + 0.5),
    floor: () => Math.floor(place),
    ceil: () => Math.ceil(place),
  }[mode]();
  return Math.min(Math.max(rounded, 0), from - 1);
}

/** Weight of an element at a distance, in elements. */
export type Kernel = { readonly radius: number; readonly weight: (distance: number) => number };

/** Linear interpolation. */
export const triangle: Kernel = { radius: 1, weight: (distance) => Math.max(1 - Math.abs(distance), 0) };

/** Cubic convolution with free parameter a [keys:81], who takes a = -1/2. */
export function cubic(a: number): Kernel {
  return {
    radius: 2,
    weight(distance) {
      const s = Math.abs(distance);
      if (s <= 1) return (a + 2) * s ** 3 - (a + 3) * s ** 2 + 1;
      return s < 2 ? a * s ** 3 - 5 * a * s ** 2 + 8 * a * s - 4 * a : 0;
    },
  };
}

export interface WeightOptions {
  readonly mode: CoordinateMode;
  /** Elements outside weigh nothing, and the others more; else the first and last stand for them. */
  readonly excludeOutside: boolean;
  /** Widens the kernel where there are fewer outputs than elements, so that none is skipped. */
  readonly antialias: boolean;
}

/** Row-major [to, from]: row i holds the weights with which output i reads the elements. */
export function resizeWeights(axis: ResizeAxis, kernel: Kernel, options: WeightOptions): Float64Array {
  const { from, to, scale } = axis;
  const stretch = options.antialias ? Math.max(1 / scale, 1) : 1;
  const places = Float64Array.from({ length: to }, (_, i) => coordinate(options.mode, i, axis));
  return kernelWeights(places, kernel, { from, stretch, excludeOutside: options.excludeOutside });
}

/** What is read, and how wide. */
export interface KernelWeightOptions extends Pick<WeightOptions, 'excludeOutside'> {
  /** Number of elements. */
  readonly from: number;
  /** Factor by which the kernel is widened, >= 1. */
  readonly stretch: number;
}

/** Row-major [places, from]: the weights with which each place, counted from the first element's centre, reads the elements. */
export function kernelWeights(
  places: Float64Array,
  kernel: Kernel,
  { from, stretch, excludeOutside }: KernelWeightOptions,
): Float64Array {
  const weights = new Float64Array(from * places.length);
  for (const [i, place] of places.entries()) {
    const row = weights.subarray(i * from, (i + 1) * from);
    const first = Math.ceil(place - kernel.radius * stretch);
    let total = 0;
    for (let at = first; at <= place + kernel.radius * stretch; at++) {
      const weight = kernel.weight((at - place) / stretch);
      if (excludeOutside && (at < 0 || at >= from)) continue;
      row[Math.min(Math.max(at, 0), from - 1)] += weight;
      total += weight;
    }
    // A whole kernel adds up to 1 unless it is widened.
    const isWhole = !excludeOutside && stretch === 1;
    if (!isWhole && total !== 0) for (let at = 0; at < from; at++) row[at] /= total;
  }
  return weights;
}
