/** Parts of tensors, and tensors as parts: slice, split, pad. */
import { ShapeError } from '../../errors.ts';
import type { Primitive } from '../primitive.ts';
import { elementCount, formatShape, normalizeAxis, sameShape, stridesOf } from '../shape.ts';
import { applyPrimitive, type Tensor } from '../tensor.ts';
import { dot, forEachIndex } from './reference.ts';

type SliceAttributes = {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly steps: readonly number[];
};

export const slicePrimitive: Primitive<SliceAttributes> = {
  name: 'slice',
  outputTypes([x], { starts, ends, steps }) {
    const fits = x.shape.every(
      (size, axis) => starts[axis] >= 0 && starts[axis] <= ends[axis] && ends[axis] <= size && steps[axis] >= 1,
    );
    if (!fits || starts.length !== x.shape.length) {
      throw new ShapeError({
        expected: `0 <= start <= end <= size and step >= 1 on each axis of ${formatShape(x.shape)}`,
        got: `starts ${formatShape(starts)}, ends ${formatShape(ends)}, steps ${formatShape(steps)}`,
        where: 'engine slice',
      });
    }
    return [{ dtype: x.dtype, shape: x.shape.map((_, axis) => Math.ceil((ends[axis] - starts[axis]) / steps[axis])) }];
  },
  gradient({ inputs: [x], attributes: { starts, steps }, outputs: [result] }, [d]) {
    const reach = result.shape.map((size, axis) => starts[axis] + (size === 0 ? 0 : (size - 1) * steps[axis] + 1));
    return [
      pad(d as Tensor, {
        before: starts,
        after: x.shape.map((size, axis) => size - reach[axis]),
        between: steps.map((step) => step - 1),
      }),
    ];
  },
  lowering: {
    default(emit, { inputs: [x], inputTypes: [{ shape }], attributes: { starts, ends, steps } }) {
      const axes = shape
        .map((_, axis) => axis)
        .filter((axis) => starts[axis] !== 0 || ends[axis] !== shape[axis] || steps[axis] !== 1);
      const pick = (list: readonly number[]) => emit.ints(axes.map((axis) => list[axis]));
      return [emit.node('Slice', [x, pick(starts), pick(ends), emit.ints(axes), pick(steps)])];
    },
  },
  reference([x], { starts, steps }, [type]) {
    const strides = stridesOf(x.shape);
    const result = new Float64Array(elementCount(type.shape));
    const origin = dot(starts, strides);
    const moves = strides.map((stride, axis) => stride * steps[axis]);
    forEachIndex(type.shape, (offset, index) => {
      result[offset] = x.data[origin + dot(index, moves)];
    });
    return [result];
  },
  examples: [
    { inputs: [{ shape: [4, 5] }], attributes: { starts: [1, 0], ends: [3, 5], steps: [1, 1] } },
    { inputs: [{ shape: [4, 5] }], attributes: { starts: [0, 1], ends: [4, 5], steps: [2, 3] } },
  ],
  counterexamples: [
    {
      inputs: [{ dtype: 'float32', shape: [4] }],
      attributes: { starts: [1], ends: [5], steps: [1] },
      message: /end <= size/,
    },
  ],
};

export interface SliceRange {
  /** Default 0. */
  readonly start?: number;
  /** Exclusive. Default the size. */
  readonly end?: number;
  /** >= 1. Default 1. */
  readonly step?: number;
}

/**
 * Elements with start <= index < end in steps, on each axis listed; axes and bounds may be negative to count from the end.
 * @throws ShapeError if bounds lie outside of the axis.
 */
export function slice(x: Tensor, ranges: Readonly<Record<number, SliceRange>>): Tensor {
  const starts = x.shape.map(() => 0);
  const ends = [...x.shape];
  const steps = x.shape.map(() => 1);
  for (const [key, { start = 0, end, step = 1 }] of Object.entries(ranges)) {
    const axis = normalizeAxis(Number(key), x.shape.length, 'engine slice');
    const size = x.shape[axis];
    starts[axis] = start < 0 ? start + size : start;
    ends[axis] = end === undefined ? size : end < 0 ? end + size : end;
    steps[axis] = step;
  }
  if (sameShape(ends, x.shape) && starts.every((start) => start === 0) && steps.every((step) => step === 1)) return x;
  return applyPrimitive(slicePrimitive, [x], { starts, ends, steps })[0];
}

/** Elements start <= index < end of one axis. @throws ShapeError as `slice`. */
export function sliceAxis(x: Tensor, axis: number, start: number, end: number): Tensor {
  return slice(x, { [axis]: { start, end } });
}

/**
 * x cut along an axis into parts of the given sizes, or into a number of equal parts.
 * @throws ShapeError if the sizes do not add up to the axis, or the number does not divide it.
 */
export function split(x: Tensor, sizes: readonly number[] | number, axis: number): Tensor[] {
  const place = normalizeAxis(axis, x.shape.length, 'engine split');
  const list = typeof sizes === 'number' ? new Array<number>(sizes).fill(x.shape[place] / sizes) : sizes;
  if (list.reduce((sum, size) => sum + size, 0) !== x.shape[place] || !list.every(Number.isInteger)) {
    throw new ShapeError({
      expected: `sizes that add up to ${x.shape[place]}`,
      got: formatShape(list),
      where: 'engine split',
    });
  }
  let start = 0;
  return list.map((size) => {
    start += size;
    return sliceAxis(x, place, start - size, start);
  });
}

type PadAttributes = {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly between: readonly number[];
};

export const padPrimitive: Primitive<PadAttributes> = {
  name: 'pad',
  outputTypes([x], { before, after, between }) {
    const lists = [before, after, between];
    if (
      lists.some(
        (list) => list.length !== x.shape.length || list.some((count) => !Number.isInteger(count) || count < 0),
      )
    ) {
      throw new ShapeError({
        expected: `counts >= 0, one for each axis of ${formatShape(x.shape)}`,
        got: lists.map(formatShape).join(', '),
        where: 'engine pad',
      });
    }
    const inner = x.shape.map((size, axis) => size + Math.max(size - 1, 0) * between[axis]);
    return [{ dtype: x.dtype, shape: inner.map((size, axis) => before[axis] + size + after[axis]) }];
  },
  gradient({ attributes: { before, after, between }, outputs: [result] }, [d]) {
    const ranges = result.shape.map((size, axis) => ({
      start: before[axis],
      end: size - after[axis],
      step: between[axis] + 1,
    }));
    return [slice(d as Tensor, ranges)];
  },
  lowering: {
    default(emit, { inputs: [x], inputTypes: [{ shape, dtype }], attributes: { before, after, between } }) {
      let inner = x;
      let size = shape;
      for (const [axis, count] of between.entries()) {
        if (count === 0 || size[axis] <= 1) continue;
        // Interleave zeros: pad a new axis behind this one, merge the two, drop the zeros after the last element.
        const split = size.toSpliced(axis + 1, 0, 1);
        const pads = [...split.map(() => 0), ...split.map((_, i) => (i === axis + 1 ? count : 0))];
        const stretched = emit.node('Pad', [
          emit.node('Reshape', [inner, emit.ints(split)]),
          emit.ints(pads),
          emit.scalar(dtype, 0),
        ]);
        const merged = size.with(axis, size[axis] * (count + 1));
        size = size.with(axis, merged[axis] - count);
        const flat = emit.node('Reshape', [stretched, emit.ints(merged)]);
        inner = emit.node('Slice', [flat, emit.ints([0]), emit.ints([size[axis]]), emit.ints([axis])]);
      }
      if ([...before, ...after].every((count) => count === 0)) return [inner];
      return [emit.node('Pad', [inner, emit.ints([...before, ...after]), emit.scalar(dtype, 0)])];
    },
  },
  reference([x], { before, between }, [type]) {
    const strides = stridesOf(type.shape);
    const result = new Float64Array(elementCount(type.shape));
    const origin = dot(before, strides);
    const moves = strides.map((stride, axis) => stride * (between[axis] + 1));
    forEachIndex(x.shape, (offset, index) => {
      result[origin + dot(index, moves)] = x.data[offset];
    });
    return [result];
  },
  examples: [
    { inputs: [{ shape: [2, 3] }], attributes: { before: [1, 0], after: [0, 2], between: [0, 0] } },
    { inputs: [{ shape: [2, 3] }], attributes: { before: [0, 1], after: [1, 0], between: [1, 2] } },
  ],
  counterexamples: [
    {
      inputs: [{ dtype: 'float32', shape: [2] }],
      attributes: { before: [-1], after: [0], between: [0] },
      message: /counts >= 0/,
    },
  ],
};

export interface PadCounts {
  /** Zeros before the first element, one count an axis. */
  readonly before: readonly number[];
  /** Zeros after the last element. */
  readonly after: readonly number[];
  /** Zeros between neighbours. Default none. */
  readonly between?: readonly number[];
}

/** x surrounded by (and interleaved with) zeros. @throws ShapeError unless counts are >= 0, one an axis. */
export function pad(x: Tensor, { before, after, between = x.shape.map(() => 0) }: PadCounts): Tensor {
  if ([...before, ...after, ...between].every((count) => count === 0)) return x;
  return applyPrimitive(padPrimitive, [x], { before: [...before], after: [...after], between: [...between] })[0];
}
