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

/** Place of output i among the elements, counted in elements from the first one's centre. */
export function coordinate(mode: CoordinateMode, i: number, { from, to, scale, region }: ResizeAxis): number {
  switch (mode) {
    case 'half_pixel':
      return (i + 0.5) / scale - 0.5;
    case 'half_pixel_symmetric': {
      // The outputs that a fractional size would have are centred on those that there are.
      const whole = (from * scale - to) / scale / 2;
      return (i + 0.5) / scale - 0.5 + whole;
    }
    case 'pytorch_half_pixel':
      return to > 1 ? (i + 0.5) / scale - 0.5 : 0;
    case 'align_corners':
      // By definition with the fractional size where there is one.
      return to > 1 ? (i * (from - 1)) / (from * scale - 1) : 0;
    case 'asymmetric':
      return i / scale;
    case 'tf_half_pixel_for_nn':
      return (i + 0.5) / scale;
    case 'tf_crop_and_resize': {
      const [start, end] = region;
      if (to > 1) return start * (from - 1) + (i * (end - start) * (from - 1)) / (to - 1);
      return 0.5 * (start + end) * (from - 1);
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
  const weights = new Float64Array(from * to);
  const stretch = options.antialias ? Math.max(1 / scale, 1) : 1;
  // A widened kernel reads elements only: those outside have none to stand for them.
  const excludes = options.excludeOutside || stretch > 1;
  for (let i = 0; i < to; i++) {
    const place = coordinate(options.mode, i, axis);
    const row = weights.subarray(i * from, (i + 1) * from);
    const first = Math.ceil(place - kernel.radius * stretch);
    let total = 0;
    for (let at = first; at <= place + kernel.radius * stretch; at++) {
      const weight = kernel.weight((at - place) / stretch);
      if (excludes && (at < 0 || at >= from)) continue;
      row[Math.min(Math.max(at, 0), from - 1)] += weight;
      total += weight;
    }
    if (excludes && total !== 0) for (let at = 0; at < from; at++) row[at] /= total;
  }
  return weights;
}
