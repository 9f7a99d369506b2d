/** Operators that look for large and small elements. */
import * as o from '../../ops.ts';
import { normalizeAxis } from '../../shape.ts';
import type { Tensor } from '../../tensor.ts';
import { type NodeCall, type Operator, type Operators, operand, requiredNumber } from '../operator.ts';
import { listOf, pick } from './index-list.ts';
import { isFloat } from './numbers.ts';

/** Order of axes that puts one axis last; it is its own inverse. */
function swappedLast(x: Tensor, axis: number): number[] {
  const last = x.shape.length - 1;
  return x.shape.map((_, i) => (i === axis ? last : i === last ? axis : i));
}

/** `topK` along any axis. */
function topKAlong(x: Tensor, axis: number, options: { readonly k: number; readonly largest: boolean }) {
  const order = swappedLast(x, axis);
  const { values, indices } = o.topK(o.transpose(x, order), options.k, { largest: options.largest });
  return { values: o.transpose(values, order), indices: o.transpose(indices, order) };
}

/** Index of the first largest element along an axis, int64 without the axis. */
export function largestIndex(x: Tensor, axis: number, largest = true): Tensor {
  const numbers = isFloat(x) ? x : o.cast(x, 'float64');
  const { indices } = topKAlong(numbers, axis, { k: 1, largest });
  return o.reshape(indices, x.shape.toSpliced(axis, 1));
}

/** x with the order of an axis reversed. */
export function reversed(x: Tensor, axis: number): Tensor {
  const size = x.shape[axis];
  return pick(
    x,
    axis,
    listOf(size, (i) => size - 1 - i),
  );
}

function argument(largest: boolean): Operator {
  return {
    inputs: [1, 1],
    apply(node) {
      const x = operand(node, 0);
      const axis = normalizeAxis(node.attributes.int('axis', 0), x.shape.length, 'ArgMax or ArgMin');
      const kept = node.attributes.flag('keepdims', true) ? x.shape.with(axis, 1) : x.shape.toSpliced(axis, 1);
      const index = node.attributes.flag('select_last_index', false)
        ? o.subtract(x.shape[axis] - 1, largestIndex(reversed(x, axis), axis, largest))
        : largestIndex(x, axis, largest);
      return o.reshape(index, kept);
    },
  };
}

/** `k` was an attribute up to opset 9, and only the largest were found up to opset 10. */
function topK(node: NodeCall): Tensor[] {
  const { attributes } = node;
  const x = operand(node, 0);
  const axis = normalizeAxis(attributes.int('axis', -1), x.shape.length, 'TopK');
  const k = node.opset < 10 ? attributes.int('k', 0) : requiredNumber(node, 1);
  const largest = attributes.flag('largest', true);
  // Sorted results serve those who do not ask for an order.
  attributes.ignore('sorted');
  const { values, indices } = topKAlong(isFloat(x) ? x : o.cast(x, 'float64'), axis, { k, largest });
  return [o.cast(values, x.dtype), indices];
}

export const orderingOperators: Operators = {
  ArgMax: argument(true),
  ArgMin: argument(false),
  TopK: { inputs: [1, 2], known: [1], apply: topK },
};
