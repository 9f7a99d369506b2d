/** Values that are known while tracing: constants, and what small constants fold to. Shapes, axes and counts must be of this kind. */

import { type DType, dtypeFacts, type HostArray, hostArray } from '../dtype.ts';
import { closeGraph } from '../graph.ts';
import { interpret } from '../interpreter.ts';
import { constantPrimitive } from '../primitives/constant.ts';
import { elementCount, type Shape } from '../shape.ts';
import { applyPrimitive, type Tensor } from '../tensor.ts';

/** A node with operands and results of at most this many elements is computed while tracing, when all operands are known. */
const LARGEST_FOLDED = 65_536;
/** The same for products of two operands, whose work is not linear in their size: largest product of the counts of elements. */
const LARGEST_FOLDED_PRODUCT = 2 ** 22;
/** Elements that folding may visit in one tracing; beyond them nodes stay as they are. */
const FOLDING_BUDGET = 2 ** 27;

/** A constant from its elements. Unlike `constantTensor` it takes every int64. */
export function knownTensor(dtype: DType, shape: Shape, elements: HostArray): Tensor {
  return applyPrimitive(constantPrimitive, [], { dtype, shape: [...shape], elements })[0];
}

/** Elements of a constant; `null` for any other tensor. */
export function knownElements({ call }: Tensor): HostArray | null {
  if (call?.primitive.name !== constantPrimitive.name) return null;
  return call.attributes.elements as HostArray; // the constant's own attribute
}

/** Elements of a constant as numbers; int64 beyond 2^53, which exporters write for "to the end", loses its last digits. */
export function knownNumbers(tensor: Tensor): number[] | null {
  const elements = knownElements(tensor);
  return elements === null ? null : Array.from(elements as ArrayLike<number | bigint>, Number);
}

/**
 * Float64 results as elements of the dtype; `null` where an integer dtype cannot hold one. Integers beyond 2^53 saturate there:
 * they stand for "to the end", and no shape is as large.
 */
function rounded(dtype: DType, values: Float64Array): HostArray | null {
  const elements = hostArray(dtype, values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!dtypeFacts[dtype].isFloat && !Number.isInteger(value)) return null;
    const most = Number.MAX_SAFE_INTEGER;
    elements[i] = elements instanceof BigInt64Array ? BigInt(Math.max(-most, Math.min(most, value))) : value;
  }
  return elements;
}

/** Folds the results of nodes, within the budget of one tracing. */
export interface Folding {
  /**
   * The results as constants where all operands are constants and small; else as they are.
   * @param isProduct  whether the work grows with the product of the operands' sizes.
   */
  fold(results: readonly Tensor[], operands: readonly Tensor[], isProduct: boolean): readonly Tensor[];
}

export function createFolding(): Folding {
  let left = FOLDING_BUDGET;
  return {
    fold(results, operands, isProduct) {
      if (!operands.every((operand) => knownElements(operand) !== null)) return results;
      const counts = [...operands, ...results].map(({ shape }) => elementCount(shape));
      const cost = isProduct
        ? counts.reduce((product, count) => product * Math.max(count, 1), 1)
        : counts.reduce((sum, count) => sum + count, 0);
      const small = counts.every((count) => count <= LARGEST_FOLDED);
      if (!small || cost > left || (isProduct && cost > LARGEST_FOLDED_PRODUCT)) return results;
      left -= cost;
      return results.map((result) => folded(result));
    },
  };
}

function folded(result: Tensor): Tensor {
  if (knownElements(result) !== null) return result;
  const { value } = interpret(closeGraph([], [['value', result]]), {});
  const elements = rounded(result.dtype, value);
  return elements === null ? result : knownTensor(result.dtype, result.shape, elements);
}
