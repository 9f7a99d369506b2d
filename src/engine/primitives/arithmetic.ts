/** Elementwise arithmetic on two operands. They broadcast by NumPy's rule; dtypes must be equal; a number takes the other's dtype. */
import { ShapeError } from '../../errors.ts';
import { dtypeFacts } from '../dtype.ts';
import type { ExampleInput, None, Operations, Primitive } from '../primitive.ts';
import { broadcastAxes, broadcastShapes, type Shape, sameShape } from '../shape.ts';
import { applyPrimitive, NUMBERS, requireSameDtype, type Tensor, type TensorType } from '../tensor.ts';
import { constant, scalarValue } from './constant.ts';
import { mapBroadcast } from './reference.ts';

/** A tensor, or a number that stands for a constant of the other operand's dtype. */
export type Operand = Tensor | number;

/** The sum of `tensor` over the axes along which a tensor of shape `shape` was stretched: the transpose of broadcasting. */
export function sumTo(tensor: Tensor, shape: Shape, { reduceSum, reshape }: Operations): Tensor {
  if (sameShape(tensor.shape, shape)) return tensor;
  return reshape(reduceSum(tensor, { axes: broadcastAxes(shape, tensor.shape) }), shape);
}

interface BinaryRule {
  readonly onnx: string;
  readonly f: (a: number, b: number) => number;
  /** Cotangents of both operands before summing over broadcast axes; d is the result's. */
  readonly gradient: (d: Tensor, [a, b, result]: readonly Tensor[], ops: Operations) => readonly [Tensor, Tensor];
  readonly ranges?: readonly [ExampleInput, ExampleInput];
}

function binary(name: string, { onnx, f, gradient, ranges }: BinaryRule): Primitive<None> {
  const [first, second] = ranges ?? [{ shape: [2, 3] }, { shape: [2, 3] }];
  return {
    name,
    outputTypes([a, b]) {
      const where = `engine ${name}`;
      return [{ dtype: requireSameDtype([a, b], where, NUMBERS), shape: broadcastShapes(a.shape, b.shape, where) }];
    },
    gradient({ inputs: [a, b], outputs: [result] }, [cotangent], ops) {
      const [forA, forB] = gradient(cotangent as Tensor, [a, b, result], ops);
      return [sumTo(forA, a.shape, ops), sumTo(forB, b.shape, ops)];
    },
    lowering: { default: (emit, { inputs }) => [emit.node(onnx, inputs)] },
    reference(inputs, _attributes, [{ dtype, shape }]) {
      const exact = mapBroadcast(inputs, shape, f);
      return [dtypeFacts[dtype].isFloat ? exact : exact.map(Math.trunc)];
    },
    examples: [
      { inputs: [first, second], attributes: {} },
      {
        inputs: [
          { ...first, shape: [2, 1, 3] },
          { ...second, shape: [4, 1] },
        ],
        attributes: {},
      },
      {
        inputs: [
          { ...first, shape: [] },
          { ...second, shape: [3] },
        ],
        attributes: {},
      },
      {
        inputs: [
          { dtype: 'int32', shape: [4], range: [-7, 7] },
          { dtype: 'int32', shape: [4], range: [1, 3] },
        ],
        attributes: {},
      },
    ],
    counterexamples: [
      { inputs: [of([2, 3]), of([2, 4])], attributes: {}, message: /broadcast/ },
      { inputs: [of([2]), of([2], 'float64')], attributes: {}, message: /one dtype/ },
      { inputs: [of([2], 'bool'), of([2], 'bool')], attributes: {}, message: /dtype among/ },
    ],
  };
}

function of(shape: Shape, dtype: TensorType['dtype'] = 'float32'): TensorType {
  return { shape, dtype };
}

const away: ExampleInput = { shape: [2, 3], range: [0.5, 2] };

export const addPrimitive = binary('add', { onnx: 'Add', f: (a, b) => a + b, gradient: (d) => [d, d] });

export const subtractPrimitive = binary('subtract', {
  onnx: 'Sub',
  f: (a, b) => a - b,
  gradient: (d, _tensors, { negate }) => [d, negate(d)],
});

export const multiplyPrimitive = binary('multiply', {
  onnx: 'Mul',
  f: (a, b) => a * b,
  gradient: (d, [a, b]) => [multiply(d, b), multiply(d, a)],
});

export const dividePrimitive = binary('divide', {
  onnx: 'Div',
  f: (a, b) => a / b,
  gradient: (d, [_a, b, result], { negate }) => {
    const forA = divide(d, b);
    return [forA, negate(multiply(forA, result))];
  },
  ranges: [{ shape: [2, 3] }, away],
});

export const maximumPrimitive = binary('maximum', {
  onnx: 'Max',
  f: Math.max,
  gradient: (d, [a, b], { cast, greaterOrEqual }) => [
    multiply(d, cast(greaterOrEqual(a, b), d.dtype)),
    multiply(d, cast(greaterOrEqual(b, a), d.dtype)),
  ],
});

export const minimumPrimitive = binary('minimum', {
  onnx: 'Min',
  f: Math.min,
  gradient: (d, [a, b], { cast, lessOrEqual }) => [
    multiply(d, cast(lessOrEqual(a, b), d.dtype)),
    multiply(d, cast(lessOrEqual(b, a), d.dtype)),
  ],
});

/** a^b for a > 0. */
export const powPrimitive = binary('pow', {
  onnx: 'Pow',
  f: (a, b) => a ** b,
  gradient: (d, [a, b, result], { log }) => [
    multiply(multiply(d, b), divide(result, a)),
    multiply(multiply(d, result), log(a)),
  ],
  ranges: [away, { shape: [2, 3] }],
});

/** Both operands as tensors. @throws ShapeError if neither is one. */
export function operands(a: Operand, b: Operand, where: string): readonly [Tensor, Tensor] {
  if (typeof a !== 'number') return [a, typeof b === 'number' ? constant(b, a.dtype) : b];
  if (typeof b !== 'number') return [constant(a, b.dtype), b];
  throw new ShapeError({ expected: 'at least one operand to be a tensor', got: 'two numbers', where });
}

function applyBinary(primitive: Primitive<None>, a: Operand, b: Operand, neutral?: number): Tensor {
  const pair = operands(a, b, `engine ${primitive.name}`);
  if (neutral !== undefined && pair[0].dtype === pair[1].dtype && NUMBERS.includes(pair[0].dtype)) {
    // x + 0 and x * 1 leave no trace.
    if (scalarValue(pair[1]) === neutral) return pair[0];
    if (scalarValue(pair[0]) === neutral) return pair[1];
  }
  return applyPrimitive(primitive, pair, {})[0];
}

/** a + b. */
export function add(a: Operand, b: Operand): Tensor {
  return applyBinary(addPrimitive, a, b, 0);
}

/** a - b. */
export function subtract(a: Operand, b: Operand): Tensor {
  return applyBinary(subtractPrimitive, a, b);
}

/** a b, elementwise. */
export function multiply(a: Operand, b: Operand): Tensor {
  return applyBinary(multiplyPrimitive, a, b, 1);
}

/** a / b; integers are truncated towards zero. */
export function divide(a: Operand, b: Operand): Tensor {
  return applyBinary(dividePrimitive, a, b);
}

/** The larger of a and b; where they tie, both receive the gradient. */
export function maximum(a: Operand, b: Operand): Tensor {
  return applyBinary(maximumPrimitive, a, b);
}

/** The smaller of a and b; where they tie, both receive the gradient. */
export function minimum(a: Operand, b: Operand): Tensor {
  return applyBinary(minimumPrimitive, a, b);
}

/** a^b for a > 0. A square is better written `multiply(a, a)`, which holds for every sign; a root `sqrt(a)`. */
export function pow(a: Operand, b: Operand): Tensor {
  return applyBinary(powPrimitive, a, b);
}

/** x limited to [low, high]; no gradient outside. */
export function clip(x: Tensor, low: number, high: number): Tensor {
  return minimum(maximum(x, low), high);
}
