/** Operations that move elements without computing: reshape, transpose, broadcast, concatenate. */
import { ShapeError } from '../../errors.ts';
import type { Primitive } from '../primitive.ts';
import {
  broadcastShapes,
  elementCount,
  formatShape,
  normalizeAxis,
  type Shape,
  sameShape,
  stridesOf,
} from '../shape.ts';
import { applyPrimitive, requireSameDtype, type Tensor, type TensorType } from '../tensor.ts';
import { sumTo } from './arithmetic.ts';
import { constant } from './constant.ts';
import { broadcastStrides, dot, forEachIndex } from './reference.ts';

type ShapeAttributes = { readonly shape: Shape };

export const reshapePrimitive: Primitive<ShapeAttributes> = {
  name: 'reshape',
  outputTypes([x], { shape }) {
    if (elementCount(x.shape) !== elementCount(shape) || !shape.every(Number.isInteger)) {
      throw new ShapeError({
        expected: `a shape with the ${elementCount(x.shape)} elements of ${formatShape(x.shape)}`,
        got: formatShape(shape),
        where: 'engine reshape',
      });
    }
    return [{ dtype: x.dtype, shape }];
  },
  gradient: ({ inputs: [x] }, [d]) => [reshape(d as Tensor, x.shape)],
  lowering: {
    // ONNX reads a size 0 as "the same as before" unless it is told otherwise.
    default: (emit, { inputs: [x], attributes: { shape } }) => [
      emit.node('Reshape', [x, emit.ints(shape)], shape.includes(0) ? { attributes: { allowzero: { int: 1 } } } : {}),
    ],
  },
  reference: ([x]) => [x.data],
  examples: [
    { inputs: [{ shape: [2, 6] }], attributes: { shape: [3, 4] } },
    { inputs: [{ shape: [0, 3] }], attributes: { shape: [3, 4, 0] } },
    { inputs: [{ shape: [1] }], attributes: { shape: [] } },
  ],
  counterexamples: [
    {
      inputs: [{ dtype: 'float32', shape: [2, 3] }],
      attributes: { shape: [4] },
      message: /6 elements of \[2, 3\]; got \[4\]/,
    },
    { inputs: [{ dtype: 'float32', shape: [6] }], attributes: { shape: [1.5, 4] }, message: /got \[1.5, 4\]/ },
  ],
};

/**
 * The same elements in row-major order under another shape; one size may be -1 and is inferred.
 * @throws ShapeError if the shapes differ in their number of elements.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.reduce((count, size) => (size === -1 ? count : count * size), 1);
  const full = shape.map((size) => (size === -1 ? elementCount(x.shape) / known : size));
  if (sameShape(full, x.shape)) return x;
  const source = x.call?.primitive.name === reshapePrimitive.name ? x.call.inputs[0] : x;
  return sameShape(full, source.shape) ? source : applyPrimitive(reshapePrimitive, [source], { shape: full })[0];
}

type TransposeAttributes = { readonly order: readonly number[] };

export const transposePrimitive: Primitive<TransposeAttributes> = {
  name: 'transpose',
  outputTypes([x], { order }) {
    if (
      !sameShape(
        [...order].sort((a, b) => a - b),
        x.shape.map((_, axis) => axis),
      )
    ) {
      throw new ShapeError({
        expected: `\`order\` to be a permutation of the ${x.shape.length} axes`,
        got: formatShape(order),
        where: 'engine transpose',
      });
    }
    return [{ dtype: x.dtype, shape: order.map((axis) => x.shape[axis]) }];
  },
  gradient: ({ attributes: { order } }, [d]) => [transpose(d as Tensor, inverseOrder(order))],
  lowering: {
    default: (emit, { inputs, attributes: { order } }) => [
      emit.node('Transpose', inputs, { attributes: { perm: order } }),
    ],
  },
  reference([x], { order }, [type]) {
    const strides = stridesOf(x.shape);
    const permuted = order.map((axis) => strides[axis]);
    const result = new Float64Array(x.data.length);
    forEachIndex(type.shape, (offset, index) => {
      result[offset] = x.data[dot(index, permuted)];
    });
    return [result];
  },
  examples: [
    { inputs: [{ shape: [2, 3] }], attributes: { order: [1, 0] } },
    { inputs: [{ shape: [2, 3, 4, 2] }], attributes: { order: [0, 2, 1, 3] } },
  ],
  counterexamples: [
    {
      inputs: [{ dtype: 'float32', shape: [2, 3] }],
      attributes: { order: [0, 0] },
      message: /permutation of the 2 axes/,
    },
  ],
};

function inverseOrder(order: readonly number[]): number[] {
  const inverse = new Array<number>(order.length);
  for (const [to, from] of order.entries()) inverse[from] = to;
  return inverse;
}

/**
 * Axes in another order: axis i of the result is axis `order[i]` of x. Default: the last two swapped.
 * @throws ShapeError if `order` is not a permutation of the axes.
 */
export function transpose(x: Tensor, order?: readonly number[]): Tensor {
  const axes = x.shape.map((_, axis) => axis);
  const wanted = order ?? [...axes.slice(0, -2), ...axes.slice(-2).reverse()];
  if (sameShape(wanted, axes)) return x;
  if (x.call?.primitive.name === transposePrimitive.name) {
    const first = (x.call.attributes as TransposeAttributes).order;
    if (
      sameShape(
        wanted.map((axis) => first[axis]),
        axes,
      )
    )
      return x.call.inputs[0];
  }
  return applyPrimitive(transposePrimitive, [x], { order: [...wanted] })[0];
}

export const broadcastPrimitive: Primitive<ShapeAttributes> = {
  name: 'broadcastTo',
  outputTypes([x], { shape }) {
    if (!sameShape(broadcastShapes(x.shape, shape, 'engine broadcastTo'), shape)) {
      throw new ShapeError({
        expected: `a shape that stretches to ${formatShape(shape)}`,
        got: formatShape(x.shape),
        where: 'engine broadcastTo',
      });
    }
    return [{ dtype: x.dtype, shape }];
  },
  gradient: ({ inputs: [x] }, [d], ops) => [sumTo(d as Tensor, x.shape, ops)],
  lowering: { default: (emit, { inputs: [x], attributes }) => [emit.node('Expand', [x, emit.ints(attributes.shape)])] },
  reference([x], { shape }) {
    const strides = broadcastStrides(x.shape, shape);
    const result = new Float64Array(elementCount(shape));
    forEachIndex(shape, (offset, index) => {
      result[offset] = x.data[dot(index, strides)];
    });
    return [result];
  },
  examples: [
    { inputs: [{ shape: [3, 1] }], attributes: { shape: [2, 3, 4] } },
    { inputs: [{ shape: [] }], attributes: { shape: [2, 2] } },
  ],
  counterexamples: [{ inputs: [{ dtype: 'float32', shape: [2] }], attributes: { shape: [3] }, message: /broadcast/ }],
};

/**
 * x stretched to a shape by NumPy's rule. Elementwise operations broadcast by themselves.
 * @throws ShapeError if x does not stretch to it.
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : applyPrimitive(broadcastPrimitive, [x], { shape: [...shape] })[0];
}

type AxisAttributes = { readonly axis: number };

export const concatPrimitive: Primitive<AxisAttributes> = {
  name: 'concat',
  outputTypes(inputs, { axis }) {
    const dtype = requireSameDtype(inputs, 'engine concat');
    const [{ shape: first }] = inputs;
    for (const { shape } of inputs) {
      if (shape.length !== first.length || shape.some((size, i) => i !== axis && size !== first[i])) {
        throw new ShapeError({
          expected: `shapes equal but for axis ${axis}`,
          got: inputs.map((input) => formatShape(input.shape)).join(', '),
          where: 'engine concat',
        });
      }
    }
    const total = inputs.reduce((sum, { shape }) => sum + shape[axis], 0);
    return [{ dtype, shape: first.map((size, i) => (i === axis ? total : size)) }];
  },
  gradient({ inputs, attributes: { axis } }, [d], { sliceAxis }) {
    let start = 0;
    return inputs.map(({ shape }) => {
      start += shape[axis];
      return sliceAxis(d as Tensor, axis, start - shape[axis], start);
    });
  },
  lowering: {
    default: (emit, { inputs, attributes: { axis } }) => [
      emit.node('Concat', inputs, { attributes: { axis: { int: axis } } }),
    ],
  },
  reference(inputs, { axis }, [type]) {
    const result = new Float64Array(elementCount(type.shape));
    const strides = stridesOf(type.shape);
    let start = 0;
    for (const { shape, data } of inputs) {
      forEachIndex(shape, (offset, index) => {
        result[dot(index, strides) + start * strides[axis]] = data[offset];
      });
      start += shape[axis];
    }
    return [result];
  },
  examples: [
    { inputs: [{ shape: [2, 3] }, { shape: [2, 1] }, { shape: [2, 2] }], attributes: { axis: 1 } },
    { inputs: [{ shape: [1, 2, 2] }, { shape: [3, 2, 2] }], attributes: { axis: 0 } },
  ],
  counterexamples: [
    {
      inputs: [
        { dtype: 'float32', shape: [2, 3] },
        { dtype: 'float32', shape: [3, 3] },
      ],
      attributes: { axis: 1 },
      message: /equal but for axis 1/,
    },
  ],
};

/** Tensors one after another along an axis. @throws ShapeError if there are none, or other sizes or dtypes differ. */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 0)
    throw new ShapeError({ expected: 'at least one tensor', got: 'none', where: 'engine concat' });
  if (tensors.length === 1) return tensors[0];
  return applyPrimitive(concatPrimitive, tensors, {
    axis: normalizeAxis(axis, tensors[0].shape.length, 'engine concat'),
  })[0];
}

/** Tensors of one shape along a new axis. @throws ShapeError if there are none, or shapes or dtypes differ. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  if (tensors.length === 0) return concat(tensors, axis);
  const place = normalizeAxis(axis, tensors[0].shape.length + 1, 'engine stack');
  return concat(
    tensors.map((x) => reshape(x, x.shape.toSpliced(place, 0, 1))),
    place,
  );
}

/** Zeros of the type, stored as one element. */
export function zerosLike({ dtype, shape }: TensorType): Tensor {
  return broadcastTo(constant(0, dtype), shape);
}

/** Ones of the type, stored as one element. */
export function onesLike({ dtype, shape }: TensorType): Tensor {
  return broadcastTo(constant(1, dtype), shape);
}
