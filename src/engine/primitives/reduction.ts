/** Reductions over axes. */
import { emitReduction, type Lower } from '../onnx/lowering.ts';
import type { Operations, Primitive } from '../primitive.ts';
import { elementCount, normalizeAxes, reducedShape, type Shape, stridesOf } from '../shape.ts';
import { applyPrimitive, FLOATS, NUMBERS, requireSameDtype, type Tensor } from '../tensor.ts';
import { dot, forEachIndex } from './reference.ts';

type ReductionAttributes = { readonly axes: readonly number[]; readonly keepDims: boolean };

interface ReductionRule {
  readonly onnx: string;
  /** Reduces the elements that fall together. */
  readonly f: (values: readonly number[]) => number;
  /** Cotangent of x; `d` and `y` have kept dimensions. */
  readonly gradient: (d: Tensor, x: Tensor, y: Tensor, ops: Operations) => Tensor;
  readonly distinct?: boolean;
}

/** ONNX took axes as an input from opset 18 on. */
function lowerReduction(onnx: string): Lower<ReductionAttributes> {
  return (emit, { inputs: [x], inputTypes: [{ dtype }], attributes: { axes, keepDims } }) => [
    emitReduction(emit, { name: x, dtype }, (name) =>
      emit.node(onnx, [name, emit.ints(axes)], { attributes: { keepdims: { int: Number(keepDims) } } }),
    ),
  ];
}

function reduction(
  name: string,
  { onnx, f, gradient, distinct = false }: ReductionRule,
): Primitive<ReductionAttributes> {
  return {
    name,
    outputTypes: ([x], { axes, keepDims }) => [
      {
        dtype: requireSameDtype([x], `engine ${name}`, name === 'reduceSum' ? NUMBERS : FLOATS),
        shape: reducedShape(x.shape, axes, keepDims),
      },
    ],
    gradient({ inputs: [x], outputs: [y], attributes: { axes } }, [d], ops) {
      const kept = reducedShape(x.shape, axes, true);
      return [gradient(ops.reshape(d as Tensor, kept), x, ops.reshape(y, kept), ops)];
    },
    lowering: { default: lowerReduction(onnx) },
    reference([x], { axes }, [type]) {
      const kept = reducedShape(x.shape, axes, true);
      const strides = stridesOf(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
      const groups = Array.from({ length: elementCount(type.shape) }, (): number[] => []);
      forEachIndex(x.shape, (offset, index) => groups[dot(index, strides)].push(x.data[offset]));
      return [Float64Array.from(groups, f)];
    },
    examples: [
      { inputs: [{ shape: [2, 3, 4], distinct }], attributes: { axes: [1], keepDims: false } },
      { inputs: [{ shape: [2, 3, 4], distinct }], attributes: { axes: [0, 2], keepDims: true } },
      { inputs: [{ shape: [5], distinct }], attributes: { axes: [0], keepDims: false } },
    ],
    counterexamples: [
      { inputs: [{ dtype: 'bool', shape: [2] }], attributes: { axes: [0], keepDims: false }, message: /dtype among/ },
    ],
  };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const largest = (values: readonly number[]) => values.reduce((best, value) => Math.max(best, value), -Infinity);

export const reduceSumPrimitive = reduction('reduceSum', {
  onnx: 'ReduceSum',
  f: sum,
  gradient: (d, x, _y, { broadcastTo }) => broadcastTo(d, x.shape),
});

export const reduceMeanPrimitive = reduction('reduceMean', {
  onnx: 'ReduceMean',
  f: (values) => sum(values) / values.length,
  gradient: (d, x, _y, { broadcastTo, multiply }) =>
    broadcastTo(multiply(d, elementCount(d.shape) / elementCount(x.shape)), x.shape),
});

/** Where several elements are largest, each receives the whole gradient. */
export const reduceMaxPrimitive = reduction('reduceMax', {
  onnx: 'ReduceMax',
  f: largest,
  gradient: (d, x, y, { multiply, cast, equal }) => multiply(d, cast(equal(x, y), d.dtype)),
  distinct: true,
});

/** log of the sum of exponentials, shifted by the maximum. */
export const logSumExpPrimitive: Primitive<ReductionAttributes> = {
  ...reduction('logSumExp', {
    onnx: 'ReduceLogSumExp',
    f: (values) => {
      const shift = largest(values);
      return shift + Math.log(sum(values.map((value) => Math.exp(value - shift))));
    },
    gradient: (d, x, y, { multiply, exp, subtract }) => multiply(d, exp(subtract(x, y))),
  }),
  lowering: {
    default(emit, { inputs: [x], attributes: { axes, keepDims }, outputTypes: [{ shape }] }) {
      const over = emit.ints(axes);
      const shift = emit.node('ReduceMax', [x, over], { attributes: { keepdims: { int: 1 } } });
      const shares = emit.node('Exp', [emit.node('Sub', [x, shift])]);
      const total = emit.node('ReduceSum', [shares, over], { attributes: { keepdims: { int: 1 } } });
      const kept = emit.node('Add', [emit.node('Log', [total]), shift]);
      return [keepDims ? kept : emit.node('Reshape', [kept, emit.ints(shape)])];
    },
  },
};

export interface ReduceOptions {
  /** Axes to reduce; default all. Negative counts from the last. */
  readonly axes?: readonly number[];
  /** Keeps reduced axes with size 1. Default false. */
  readonly keepDims?: boolean;
}

function reduce(
  primitive: Primitive<ReductionAttributes>,
  x: Tensor,
  { axes, keepDims = false }: ReduceOptions,
): Tensor {
  const all: Shape = x.shape.map((_, axis) => axis);
  const over = normalizeAxes(axes ?? all, x.shape.length, `engine ${primitive.name}`);
  return over.length === 0 ? x : applyPrimitive(primitive, [x], { axes: over, keepDims })[0];
}

/** Sum over axes. */
export function reduceSum(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduce(reduceSumPrimitive, x, options);
}

/** Mean over axes. */
export function reduceMean(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduce(reduceMeanPrimitive, x, options);
}

/** Largest element over axes. */
export function reduceMax(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduce(reduceMaxPrimitive, x, options);
}

/** log sum exp over axes, without overflow. */
export function logSumExp(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduce(logSumExpPrimitive, x, options);
}
