/** Loops over elements that the float64 references share. */
import type { ReferenceTensor } from '../primitive.ts';
import { elementCount, type Shape, stridesOf } from '../shape.ts';

/** Calls `visit(offset into the result, multi-index)` for every element of a shape, row-major. The index is reused between calls. */
export function forEachIndex(shape: Shape, visit: (offset: number, index: readonly number[]) => void): void {
  const count = elementCount(shape);
  const index = new Array<number>(shape.length).fill(0);
  for (let offset = 0; offset < count; offset++) {
    visit(offset, index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

/** Strides with which a tensor of shape `from` is read at the indices of the shape `to` that it broadcasts to. */
export function broadcastStrides(from: Shape, to: Shape): number[] {
  const own = stridesOf(from);
  const lead = to.length - from.length;
  return to.map((_, axis) => (axis < lead || from[axis - lead] === 1 ? 0 : own[axis - lead]));
}

export function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** `f` of the operands' elements at every index of the shape that they broadcast to. */
export function mapBroadcast(
  inputs: readonly ReferenceTensor[],
  shape: Shape,
  f: (...values: number[]) => number,
): Float64Array {
  const result = new Float64Array(elementCount(shape));
  const strides = inputs.map((input) => broadcastStrides(input.shape, shape));
  forEachIndex(shape, (offset, index) => {
    result[offset] = f(...inputs.map((input, i) => input.data[dot(index, strides[i])]));
  });
  return result;
}
