/** Shapes: lists of dimension sizes, outermost first, and the arithmetic on them. */
import { ShapeError } from '../errors.ts';

/** Sizes of the axes, outermost first; [] for a scalar. */
export type Shape = readonly number[];

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: Shape): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** Whether two shapes (or lists of axes) are equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** A shape as messages show it: "[2, 3]". */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/**
 * The axis counted from the front; -1 is the last.
 * @throws ShapeError if there is no such axis.
 */
export function normalizeAxis(axis: number, rank: number, where: string): number {
  const fromFront = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || fromFront < 0 || fromFront >= rank) {
    throw new ShapeError({ expected: `\`axis\` to be an integer in [${-rank}, ${rank - 1}]`, got: `${axis}`, where });
  }
  return fromFront;
}

/**
 * Axes counted from the front, ascending.
 * @throws ShapeError if an axis does not exist or stands twice.
 */
export function normalizeAxes(axes: readonly number[], rank: number, where: string): number[] {
  const sorted = axes.map((axis) => normalizeAxis(axis, rank, where)).sort((a, b) => a - b);
  if (new Set(sorted).size !== sorted.length) {
    throw new ShapeError({ expected: '`axes` to name each axis once', got: formatShape(axes), where });
  }
  return sorted;
}

/**
 * Shape of an elementwise result by NumPy's rule: aligned at the last axis, a size 1 stretches.
 * @throws ShapeError if two sizes differ and neither is 1.
 */
export function broadcastShapes(a: Shape, b: Shape, where: string): number[] {
  const rank = Math.max(a.length, b.length);
  const result = new Array<number>(rank);
  for (let back = 1; back <= rank; back++) {
    const sizeA = a[a.length - back] ?? 1;
    const sizeB = b[b.length - back] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) {
      throw new ShapeError({
        expected: `shapes that broadcast: axis ${-back} equal or 1`,
        got: `${formatShape(a)} and ${formatShape(b)}`,
        where,
      });
    }
    result[rank - back] = sizeA === 1 ? sizeB : sizeA;
  }
  return result;
}

/** Axes of `to` that are absent from `from` or stretched from size 1 when `from` is broadcast to `to`. */
export function broadcastAxes(from: Shape, to: Shape): number[] {
  const lead = to.length - from.length;
  const axes: number[] = [];
  for (let axis = 0; axis < to.length; axis++) {
    if (axis < lead || (from[axis - lead] === 1 && to[axis] !== 1)) axes.push(axis);
  }
  return axes;
}

/** Shape left after reducing `axes` (sorted, from the front). */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  const reduced = new Set(axes);
  return keepDims
    ? shape.map((size, axis) => (reduced.has(axis) ? 1 : size))
    : shape.filter((_, axis) => !reduced.has(axis));
}
