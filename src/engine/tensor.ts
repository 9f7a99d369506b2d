/**
 * Traced tensors and the calls that made them. A tensor is a value in an immutable graph of calls: it has a dtype and a shape,
 * and no elements until a runtime executes the graph.
 */
import { ShapeError } from '../errors.ts';
import { type DType, dtypeFacts, type HostArray, hostArray } from './dtype.ts';
import type { Primitive } from './primitive.ts';
import { formatShape, type Shape } from './shape.ts';

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Constants of a call: numbers, booleans, strings, lists, host arrays, or a graph. */
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

/** A tensor that stands for a graph input while a function is traced. */
export function placeholder({ dtype, shape }: TensorType): Tensor {
  return Object.freeze({ dtype, shape: checkedShape(shape), call: null, output: 0 });
}

function checkedShape(shape: Shape): Shape {
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new ShapeError({ expected: 'every dimension to be an integer >= 0', got: formatShape(shape) });
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
  const call = { primitive, inputs, attributes, outputs } as unknown as Call;
  types.forEach(({ dtype, shape }, output) => {
    outputs.push(Object.freeze({ dtype, shape: checkedShape(shape), call, output }));
  });
  return outputs;
}

export function formatType({ dtype, shape }: TensorType): string {
  return `${dtypeFacts[dtype].short}[${shape.join(',')}]`;
}

/** Elements as a host array of the dtype. */
export function elementsOf(dtype: DType, values: ArrayLike<number>): HostArray {
  const array = hostArray(dtype, values.length);
  if (array instanceof BigInt64Array) {
    for (let i = 0; i < values.length; i++) array[i] = BigInt(values[i]);
  } else {
    array.set(values);
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

export const FLOATS: readonly DType[] = ['float32', 'float64'];
export const NUMBERS: readonly DType[] = ['float32', 'float64', 'int32', 'int64'];
/** What an index may be. */
export const INDICES: readonly DType[] = ['int32', 'int64'];
