/** Lists of indices that the importer makes while tracing. */
import { ShapeError } from '../../../errors.ts';
import * as o from '../../ops.ts';
import type { Tensor } from '../../tensor.ts';

/** Longest list that is made: a damaged file must not fill the memory by naming a size. */
const LONGEST_LIST = 2 ** 24;

/** f(0), f(1), ... @throws ShapeError for a count that is negative, fractional or absurd. */
export function listOf<T>(count: number, f: (index: number) => T): T[] {
  if (!Number.isInteger(count) || count < 0 || count > LONGEST_LIST) {
    throw new ShapeError({
      expected: `a count in [0, ${LONGEST_LIST}]`,
      got: `${count}`,
      where: 'engine/onnx import',
    });
  }
  return Array.from({ length: count }, (_, index) => f(index));
}

/** An int64 constant of one axis. */
export function indexConstant(indices: readonly number[]): Tensor {
  return o.constantTensor(indices, [indices.length], 'int64');
}

/** x at known indices of an axis; a plain slice where they are consecutive. */
export function pick(x: Tensor, axis: number, indices: readonly number[]): Tensor {
  const first = indices[0] ?? 0;
  if (indices.every((index, i) => index === first + i)) return o.sliceAxis(x, axis, first, first + indices.length);
  return o.gather(x, indexConstant(indices), axis);
}
