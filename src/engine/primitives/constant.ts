/** Constants. */
import { ShapeError } from '../../errors.ts';
import { type DType, type HostArray, isHostArrayOf } from '../dtype.ts';
import type { Primitive } from '../primitive.ts';
import { elementCount, formatShape, type Shape } from '../shape.ts';
import { applyPrimitive, elementsOf, type Tensor } from '../tensor.ts';

type ConstantAttributes = {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly elements: HostArray;
};

export const constantPrimitive: Primitive<ConstantAttributes> = {
  name: 'constant',
  outputTypes(_inputs, { dtype, shape, elements }) {
    if (elements.length !== elementCount(shape) || !isHostArrayOf(dtype, elements)) {
      throw new ShapeError({
        expected: `\`elements\` of ${dtype} to fill ${formatShape(shape)}`,
        got: `${elements.constructor.name} with ${elements.length} elements`,
        where: 'engine constant',
      });
    }
    return [{ dtype, shape }];
  },
  gradient: () => [],
  lowering: { default: (emit, { attributes: { dtype, shape, elements } }) => [emit.constant(dtype, shape, elements)] },
  reference: (_inputs, { elements }) => [Float64Array.from(elements as ArrayLike<number | bigint>, Number)],
  examples: [
    { inputs: [], attributes: { dtype: 'float32', shape: [2], elements: Float32Array.of(1, 2) } },
    { inputs: [], attributes: { dtype: 'float64', shape: [2, 2], elements: Float64Array.of(-0, 0.1, 1e300, 5) } },
    { inputs: [], attributes: { dtype: 'int64', shape: [], elements: BigInt64Array.of(-5n) } },
  ],
  counterexamples: [
    {
      inputs: [],
      attributes: { dtype: 'float32', shape: [3], elements: Float32Array.of(1, 2) },
      message: /fill \[3\]/,
    },
    {
      inputs: [],
      attributes: { dtype: 'int32', shape: [2], elements: Float32Array.of(1, 2) },
      message: /of int32 .*; got Float32Array/,
    },
  ],
};

/** Constant scalar, []. @throws ShapeError if the dtype cannot hold the value. */
export function constant(value: number | boolean, dtype: DType = 'float32'): Tensor {
  return constantTensor([Number(value)], [], dtype);
}

/**
 * Constant tensor.
 * @param values  row-major; converted to the dtype.
 * @throws ShapeError if the number of values is not that of the shape, or the dtype cannot hold a value.
 */
export function constantTensor(values: ArrayLike<number>, shape: Shape, dtype: DType = 'float32'): Tensor {
  return applyPrimitive(constantPrimitive, [], { dtype, shape: [...shape], elements: elementsOf(dtype, values) })[0];
}

/** Value of a tensor that is a constant scalar, else `null`. */
export function scalarValue({ call, shape }: Tensor): number | null {
  if (call?.primitive.name !== constantPrimitive.name || shape.length > 0) return null;
  return Number((call.attributes as ConstantAttributes).elements[0]);
}
