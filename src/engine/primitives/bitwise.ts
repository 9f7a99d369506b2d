/** Bits of integers in two's complement. Shifts are products and quotients by powers of two. */
import type { None, Primitive } from '../primitive.ts';
import { broadcastShapes } from '../shape.ts';
import { applyPrimitive, INDICES, requireSameDtype, type Tensor } from '../tensor.ts';
import { type Operand, operands } from './arithmetic.ts';
import { mapBroadcast } from './reference.ts';

function bitwise(name: string, onnx: string, f: (a: bigint, b: bigint) => bigint): Primitive<None> {
  return {
    name,
    outputTypes([a, b]) {
      const where = `engine ${name}`;
      return [{ dtype: requireSameDtype([a, b], where, INDICES), shape: broadcastShapes(a.shape, b.shape, where) }];
    },
    gradient: () => [null, null],
    lowering: { default: (emit, { inputs }) => [emit.node(onnx, inputs)] },
    reference: (inputs, _attributes, [{ shape }]) => [
      mapBroadcast(inputs, shape, (a, b) => Number(f(BigInt(a), BigInt(b)))),
    ],
    examples: [
      {
        inputs: [
          { dtype: 'int32', shape: [3, 4], range: [-(2 ** 31), 2 ** 31 - 1] },
          { dtype: 'int32', shape: [4], range: [-(2 ** 31), 2 ** 31 - 1] },
        ],
        attributes: {},
      },
      {
        inputs: [
          { dtype: 'int64', shape: [2, 1], range: [-(2 ** 52), 2 ** 52] },
          { dtype: 'int64', shape: [5], range: [-(2 ** 52), 2 ** 52] },
        ],
        attributes: {},
      },
    ],
    counterexamples: [
      {
        inputs: [
          { dtype: 'float32', shape: [2] },
          { dtype: 'float32', shape: [2] },
        ],
        attributes: {},
        message: /dtype among/,
      },
    ],
  };
}

export const bitwiseAndPrimitive = bitwise('bitwiseAnd', 'BitwiseAnd', (a, b) => a & b);
export const bitwiseXorPrimitive = bitwise('bitwiseXor', 'BitwiseXor', (a, b) => a ^ b);

/** Bits that are set in both, int32 or int64. */
export function bitwiseAnd(a: Operand, b: Operand): Tensor {
  return applyPrimitive(bitwiseAndPrimitive, operands(a, b, 'engine bitwiseAnd'), {})[0];
}

/** Bits that are set in one of the two, int32 or int64. */
export function bitwiseXor(a: Operand, b: Operand): Tensor {
  return applyPrimitive(bitwiseXorPrimitive, operands(a, b, 'engine bitwiseXor'), {})[0];
}
