/** Comparison, selection and conversion. Nothing flows back through a condition. */
import type { DType } from '../dtype.ts';
import { dtypeFacts, toFloat16 } from '../dtype.ts';
import { type Emitter, emitCast } from '../onnx/lowering.ts';
import type { None, Primitive } from '../primitive.ts';
import { broadcastShapes } from '../shape.ts';
import { applyPrimitive, NUMBERS, requireSameDtype, type Tensor } from '../tensor.ts';
import { type Operand, operands, sumTo } from './arithmetic.ts';
import { mapBroadcast } from './reference.ts';

function comparison(name: string, onnx: string, f: (a: number, b: number) => boolean): Primitive<None> {
  return {
    name,
    outputTypes([a, b]) {
      requireSameDtype([a, b], `engine ${name}`, NUMBERS);
      return [{ dtype: 'bool', shape: broadcastShapes(a.shape, b.shape, `engine ${name}`) }];
    },
    gradient: () => [null, null],
    lowering: { default: (emit, { inputs }) => [emit.node(onnx, inputs)] },
    reference: (inputs, _attributes, [type]) => [mapBroadcast(inputs, type.shape, (a, b) => Number(f(a, b)))],
    examples: [
      { inputs: [{ shape: [2, 3] }, { shape: [3] }], attributes: {} },
      {
        inputs: [
          { shape: [4], dtype: 'int32' },
          { shape: [4], dtype: 'int32' },
        ],
        attributes: {},
      },
    ],
    counterexamples: [
      {
        inputs: [
          { dtype: 'float32', shape: [2] },
          { dtype: 'int32', shape: [2] },
        ],
        attributes: {},
        message: /one dtype/,
      },
    ],
  };
}

export const equalPrimitive = comparison('equal', 'Equal', (a, b) => a === b);
export const lessPrimitive = comparison('less', 'Less', (a, b) => a < b);
export const lessOrEqualPrimitive = comparison('lessOrEqual', 'LessOrEqual', (a, b) => a <= b);
export const greaterPrimitive = comparison('greater', 'Greater', (a, b) => a > b);
export const greaterOrEqualPrimitive = comparison('greaterOrEqual', 'GreaterOrEqual', (a, b) => a >= b);

function logical(name: string, onnx: string, f: (...values: number[]) => boolean): Primitive<None> {
  const arity = f.length;
  const example = { shape: [2, 3], dtype: 'bool' } as const;
  return {
    name,
    outputTypes(inputs) {
      requireSameDtype(inputs, `engine ${name}`, ['bool']);
      const shape = inputs.reduce(
        (all: readonly number[], one) => broadcastShapes(all, one.shape, `engine ${name}`),
        [],
      );
      return [{ dtype: 'bool', shape }];
    },
    gradient: ({ inputs }) => inputs.map(() => null),
    lowering: { default: (emit, { inputs }) => [emit.node(onnx, inputs)] },
    reference: (inputs, _attributes, [type]) => [mapBroadcast(inputs, type.shape, (...v) => Number(f(...v)))],
    examples: [{ inputs: new Array(arity).fill(example), attributes: {} }],
    counterexamples: [
      { inputs: new Array(arity).fill({ dtype: 'float32', shape: [2] }), attributes: {}, message: /dtype among bool/ },
    ],
  };
}

export const andPrimitive = logical('and', 'And', (a, b) => a !== 0 && b !== 0);
export const orPrimitive = logical('or', 'Or', (a, b) => a !== 0 || b !== 0);
export const notPrimitive = logical('not', 'Not', (a) => a === 0);

/** Where has no kernel for bools: (condition and a) or (not condition and b). */
function emitBooleanSelect(emit: Emitter, [condition, a, b]: readonly string[]): string {
  const otherwise = emit.node('And', [emit.node('Not', [condition]), b]);
  return emit.node('Or', [emit.node('And', [condition, a]), otherwise]);
}

export const selectPrimitive: Primitive<None> = {
  name: 'select',
  outputTypes([condition, a, b]) {
    requireSameDtype([condition], 'engine select condition', ['bool']);
    const shape = broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape, 'engine select'), 'engine select');
    return [{ dtype: requireSameDtype([a, b], 'engine select'), shape }];
  },
  gradient({ inputs: [condition, a, b] }, [cotangent], ops) {
    const d = cotangent as Tensor;
    return [null, sumTo(select(condition, d, 0), a.shape, ops), sumTo(select(condition, 0, d), b.shape, ops)];
  },
  lowering: {
    default: (emit, { inputs, inputTypes }) => [
      inputTypes[1].dtype === 'bool' ? emitBooleanSelect(emit, inputs) : emit.node('Where', inputs),
    ],
  },
  reference: (inputs, _attributes, [type]) => [mapBroadcast(inputs, type.shape, (c, a, b) => (c !== 0 ? a : b))],
  examples: [
    { inputs: [{ shape: [2, 3], dtype: 'bool' }, { shape: [2, 3] }, { shape: [2, 3] }], attributes: {} },
    { inputs: [{ shape: [2, 1], dtype: 'bool' }, { shape: [3] }, { shape: [] }], attributes: {} },
    {
      inputs: [
        { shape: [2, 1], dtype: 'bool' },
        { shape: [3], dtype: 'bool' },
        { shape: [2, 3], dtype: 'bool' },
      ],
      attributes: {},
    },
  ],
  counterexamples: [
    {
      inputs: [
        { dtype: 'float32', shape: [2] },
        { dtype: 'float32', shape: [2] },
        { dtype: 'float32', shape: [2] },
      ],
      attributes: {},
      message: /dtype among bool/,
    },
  ],
};

type CastAttributes = {
  readonly to: DType;
};

/** A float64 value as the dtype would hold it; of integers, only a uint8 wraps. */
function converted(value: number, to: DType): number {
  if (to === 'bool') return Number(value !== 0);
  if (to === 'float32') return Math.fround(value);
  if (to === 'float16') return toFloat16(value);
  if (to === 'uint8') return Math.trunc(value) & 255;
  return dtypeFacts[to].isFloat ? value : Math.trunc(value);
}

export const castPrimitive: Primitive<CastAttributes> = {
  name: 'cast',
  outputTypes: ([x], { to }) => [{ dtype: to, shape: x.shape }],
  gradient: ({ inputs: [x] }, [d]) => [dtypeFacts[x.dtype].isFloat ? cast(d as Tensor, x.dtype) : null],
  lowering: {
    default: (emit, { inputs: [x], attributes: { to } }) => [emitCast(emit, x, to)],
  },
  reference: ([x], { to }) => [x.data.map((value) => converted(value, to))],
  examples: [
    { inputs: [{ shape: [2, 3] }], attributes: { to: 'float64' } },
    { inputs: [{ shape: [2, 3] }], attributes: { to: 'int32' } },
    { inputs: [{ shape: [2, 3], dtype: 'bool' }], attributes: { to: 'float32' } },
    { inputs: [{ shape: [2, 3], dtype: 'int32' }], attributes: { to: 'int64' } },
  ],
  counterexamples: [],
};

function compare(primitive: Primitive<None>, a: Operand, b: Operand): Tensor {
  return applyPrimitive(primitive, operands(a, b, `engine ${primitive.name}`), {})[0];
}

/** a = b, bool. */
export function equal(a: Operand, b: Operand): Tensor {
  return compare(equalPrimitive, a, b);
}

/** a < b, bool. */
export function less(a: Operand, b: Operand): Tensor {
  return compare(lessPrimitive, a, b);
}

/** a <= b, bool. */
export function lessOrEqual(a: Operand, b: Operand): Tensor {
  return compare(lessOrEqualPrimitive, a, b);
}

/** a > b, bool. */
export function greater(a: Operand, b: Operand): Tensor {
  return compare(greaterPrimitive, a, b);
}

/** a >= b, bool. */
export function greaterOrEqual(a: Operand, b: Operand): Tensor {
  return compare(greaterOrEqualPrimitive, a, b);
}

/** Both, bool. */
export function and(a: Tensor, b: Tensor): Tensor {
  return applyPrimitive(andPrimitive, [a, b], {})[0];
}

/** Either, bool. */
export function or(a: Tensor, b: Tensor): Tensor {
  return applyPrimitive(orPrimitive, [a, b], {})[0];
}

/** Negation, bool. */
export function not(a: Tensor): Tensor {
  return applyPrimitive(notPrimitive, [a], {})[0];
}

/** a where the condition holds, b elsewhere; all three broadcast. */
export function select(condition: Tensor, a: Operand, b: Operand): Tensor {
  return applyPrimitive(selectPrimitive, [condition, ...operands(a, b, 'engine select')], {})[0];
}

/** x as another dtype: floats are truncated to integers, non-zero is true. */
export function cast(x: Tensor, to: DType): Tensor {
  if (x.dtype === to) return x;
  // A float16 that was widened is still itself.
  const before = x.call?.primitive.name === castPrimitive.name ? x.call.inputs[0] : null;
  if (before?.dtype === 'float16' && to === 'float16' && dtypeFacts[x.dtype].isFloat) return before;
  return applyPrimitive(castPrimitive, [x], { to })[0];
}
