/** Operators of ONNX exist for more dtypes than the engine's operations: these lend them the missing ones. */
import type { DType } from '../../dtype.ts';
import { dtypeFacts } from '../../dtype.ts';
import { cast } from '../../ops.ts';
import type { Tensor } from '../../tensor.ts';

export function isFloat({ dtype }: Tensor): boolean {
  return dtypeFacts[dtype].isFloat;
}

/** `f` of operands of one dtype; those that `f` does not take are cast to `through` and the result back. */
function throughDtype(
  operands: readonly Tensor[],
  f: (...operands: Tensor[]) => Tensor,
  through: (dtype: DType) => DType,
): Tensor {
  const [{ dtype }] = operands;
  const wide = through(dtype);
  return cast(f(...operands.map((x) => (x.dtype === dtype ? cast(x, wide) : x))), dtype);
}

/** For functions of numbers: uint8 goes through int32, and wraps. */
export function onNumbers(operands: readonly Tensor[], f: (...operands: Tensor[]) => Tensor): Tensor {
  return throughDtype(operands, f, (dtype) => (dtype === 'uint8' ? 'int32' : dtype));
}

/** For functions of floats: integers and bools go through float64, which holds all of them up to 2^53. */
export function onFloats(operands: readonly Tensor[], f: (...operands: Tensor[]) => Tensor): Tensor {
  return throughDtype(operands, f, (dtype) => (dtypeFacts[dtype].isFloat ? dtype : 'float64'));
}

/** A tensor that comparisons take: bools and bytes as int32. */
export function comparable(x: Tensor): Tensor {
  return x.dtype === 'bool' || x.dtype === 'uint8' ? cast(x, 'int32') : x;
}
