/** Reductions over axes, and sums along one. */
import * as o from '../../ops.ts';
import { elementCount, normalizeAxes, normalizeAxis, reducedShape } from '../../shape.ts';
import type { Tensor } from '../../tensor.ts';
import {
  attributeOrOperand,
  type NodeCall,
  type Operator,
  type Operators,
  operand,
  requiredNumber,
} from '../operator.ts';
import { listOf } from './index-list.ts';
import { onFloats } from './numbers.ts';
import { movedLast } from './shaping.ts';

type Reduce = (x: Tensor, options: { readonly axes: readonly number[]; readonly keepDims: boolean }) => Tensor;

/**
 * Axes were an attribute up to opset 12 (sums) or 17 (others). None means all, unless `noop_with_empty_axes`.
 * @param before  what happens to each element first, which it also does where nothing is reduced.
 */
function reduction(reduce: Reduce, before: (x: Tensor) => Tensor = (x) => x): Operator {
  return {
    inputs: [1, 2],
    known: [1],
    apply(node) {
      const x = operand(node, 0);
      const given = attributeOrOperand(node, 'axes', 1) ?? [];
      const keepDims = node.attributes.flag('keepdims', true);
      const none = node.attributes.flag('noop_with_empty_axes', false) && given.length === 0;
      if (none) return x;
      const all = x.shape.map((_, axis) => axis);
      const axes = given.length === 0 ? all : normalizeAxes(given, x.shape.length, 'a reduction');
      return onFloats([x], (numbers) => reduce(before(numbers), { axes, keepDims }));
    },
  };
}

/** Product over axes by halving: log2 of their size multiplications, and a gradient where factors are 0. */
const reduceProduct: Reduce = (x, { axes, keepDims }) => {
  const order = [...x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis)), ...axes];
  const kept = reducedShape(x.shape, axes, false);
  let rest = o.reshape(o.transpose(x, order), [elementCount(kept), elementCount(axes.map((axis) => x.shape[axis]))]);
  if (rest.shape[1] === 0) return o.onesLike({ dtype: x.dtype, shape: reducedShape(x.shape, axes, keepDims) });
  while (rest.shape[1] > 1) {
    const half = Math.floor(rest.shape[1] / 2);
    const product = o.multiply(o.sliceAxis(rest, 1, 0, half), o.sliceAxis(rest, 1, half, 2 * half));
    rest = rest.shape[1] % 2 === 0 ? product : o.concat([product, o.sliceAxis(rest, 1, 2 * half, 2 * half + 1)], 1);
  }
  return o.reshape(rest, reducedShape(x.shape, axes, keepDims));
};

const square = (x: Tensor) => o.multiply(x, x);

/** Longest axis along which sums are products with a triangle of ones. */
const LONGEST_SUM = 8192;

/** Sums of the elements up to each, along an axis: a product with a triangle of ones. */
function cumulativeSum(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const axis = normalizeAxis(requiredNumber(node, 1), x.shape.length, 'CumSum');
  const exclusive = Number(node.attributes.flag('exclusive', false));
  const backwards = node.attributes.flag('reverse', false);
  const size = x.shape[axis];
  if (size > LONGEST_SUM) node.refuse(`an axis of at most ${LONGEST_SUM} elements`, `${size}`);
  const order = movedLast(x.shape.length, axis);
  const back = x.shape.map((_, i) => order.indexOf(i));
  const weights = listOf(size * size, (i) => {
    const [from, to] = [Math.floor(i / size), i % size];
    return Number(backwards ? from >= to + exclusive : from + exclusive <= to);
  });
  return onFloats([x], (numbers) => {
    const lines = o.transpose(numbers, order);
    const rows = o.reshape(lines, [-1, size]);
    const sums = o.matmul(rows, o.constantTensor(weights, [size, size], numbers.dtype));
    return o.transpose(o.reshape(sums, lines.shape), back);
  });
}

export const reducingOperators: Operators = {
  ReduceSum: reduction(o.reduceSum),
  ReduceMean: reduction(o.reduceMean),
  ReduceMax: reduction(o.reduceMax),
  ReduceMin: reduction((x, options) => o.negate(o.reduceMax(o.negate(x), options))),
  ReduceProd: reduction(reduceProduct),
  ReduceL1: reduction(o.reduceSum, o.abs),
  ReduceL2: reduction((x, options) => o.sqrt(o.reduceSum(x, options)), square),
  ReduceSumSquare: reduction(o.reduceSum, square),
  ReduceLogSum: reduction((x, options) => o.log(o.reduceSum(x, options))),
  ReduceLogSumExp: reduction(o.logSumExp),
  CumSum: { inputs: [2, 2], known: [1], isProduct: true, apply: cumulativeSum },
};
