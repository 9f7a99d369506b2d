/**
 * Traced tensors and the calls that made them. A tensor is a value in an immutable graph of calls: it has a dtype and a shape,
 * and no elements until a runtime executes the graph.
 */
import { ShapeError } from '../errors.ts';
import { type DType, dtypeFacts, type HostArray, hostArray, toFloat16 } from './dtype.ts';
import type { Primitive } from './primitive.ts';
import { formatShape, type Shape, sameShape } from './shape.ts';

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Constants of a call: numbers, booleans, strings, lists, host arrays, or a graph. Never changed after the call is made. */
export type Attributes = Readonly<Record<string, unknown>>;

/** One application of a primitive. */
export interface Call<A extends object = Attributes> {
  readonly primitive: Primitive<A>;
  readonly inputs: readonly Tensor[];
  readonly attributes: A;
  readonly outputs: readonly Tensor[];
}

/** A value in a graph. Compare by identity. */
export interface Tensor extends TensorType {
  /** The call whose output this is; `null` for a placeholder that tracing will bind to a graph input. */
  readonly call: Call | null;
  /** Which output of the call. */
  readonly output: number;
}

/**
 * A tensor that stands for a graph input while a function is traced.
 * @throws ShapeError if a size is not an integer >= 0.
 */
export function placeholder({ dtype, shape }: TensorType): Tensor {
  return Object.freeze({ dtype, shape: checkedShape(shape, 'engine placeholder'), call: null, output: 0 });
}

function checkedShape(shape: Shape, where: string): Shape {
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new ShapeError({ expected: 'every dimension to be an integer >= 0', got: formatShape(shape), where });
  }
  return Object.freeze([...shape]);
}

/**
 * Outputs of a primitive applied to tensors: the only way in which a graph grows.
 * @throws ShapeError if the primitive refuses the shapes or dtypes.
 */
export function applyPrimitive<A extends object>(
  primitive: Primitive<A>,
  inputs: readonly Tensor[],
  attributes: A,
): readonly Tensor[] {
  const types = primitive.outputTypes(inputs, attributes);
  const outputs: Tensor[] = [];
  // Attributes are opaque here: only the primitive itself, which made them, reads them.
  const call = { primitive, inputs: [...inputs], attributes, outputs } as unknown as Call;
  types.forEach(({ dtype, shape }, output) => {
    outputs.push(Object.freeze({ dtype, shape: checkedShape(shape, `engine ${primitive.name}`), call, output }));
  });
  return outputs;
}

/** A type as printed graphs and messages show it: "f32[2,3]". */
export function formatType({ dtype, shape }: TensorType): string {
  return `${dtypeFacts[dtype].short}[${shape.join(',')}]`;
}

/** Whether two tensors have the same dtype and shape. */
export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}

/** Smallest and largest value of each dtype that is not a float. */
const integerRange: { readonly [K in DType]: readonly [number, number] | null } = {
  float16: null,
  float32: null,
  float64: null,
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint8: [0, 255],
  bool: [0, 1],
};

/**
 * Elements as a host array of the dtype; floats are rounded.
 * @throws ShapeError if the dtype cannot hold a value: a fraction, NaN or a number outside its range (for int64, ±(2^53 - 1)).
 */
export function elementsOf(dtype: DType, values: ArrayLike<number>): HostArray {
  const array = hostArray(dtype, values.length);
  const range = integerRange[dtype];
  if (range === null) {
    // Floats: one copy.
    const floats = array as Float32Array | Float64Array;
    floats.set(values);
    return dtype === 'float16' ? floats.map(toFloat16) : floats;
  }
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!(Number.isInteger(value) && value >= range[0] && value <= range[1])) {
      throw new ShapeError({
        expected: `elements of ${dtype} to be integers in [${range.join(', ')}]`,
        got: `${value}`,
        where: 'engine/tensor',
        remedy: 'another dtype, or `cast`',
      });
    }
    array[i] = array instanceof BigInt64Array ? BigInt(value) : value;
  }
  return array;
}

/** @throws ShapeError unless all tensors have one of the allowed dtypes, the same for all. */
export function requireSameDtype(inputs: readonly TensorType[], where: string, allowed?: readonly DType[]): DType {
  const [first] = inputs;
  if (inputs.some(({ dtype }) => dtype !== first.dtype)) {
    throw new ShapeError({
      expected: 'operands of one dtype',
      got: inputs.map(formatType).join(' and '),
      where,
      remedy: '`cast`, since dtypes are never promoted',
    });
  }
  if (allowed !== undefined && !allowed.includes(first.dtype)) {
    throw new ShapeError({ expected: `a dtype among ${allowed.join(', ')}`, got: formatType(first), where });
  }
  return first.dtype;
}

/** What carries a gradient. */
export const FLOATS: readonly DType[] = ['float32', 'float64', 'float16'];
/** What arithmetic applies to. */
export const NUMBERS: readonly DType[] = ['float32', 'float64', 'float16', 'int32', 'int64'];
/** What an index may be. */
export const INDICES: readonly DType[] = ['int32', 'int64'];
