/** Every primitive by name: what law tests run over and what a stored graph may name. */
import { FlowError } from '../../errors.ts';
import type { Primitive } from '../primitive.ts';
import * as activation from './activation.ts';
import * as arithmetic from './arithmetic.ts';
import * as attention from './attention.ts';
import * as bitwise from './bitwise.ts';
import * as comparison from './comparison.ts';
import * as constant from './constant.ts';
import * as control from './control.ts';
import * as convolution from './convolution.ts';
import * as groupNorm from './group-norm.ts';
import * as indexing from './indexing.ts';
import * as matmul from './matmul.ts';
import * as normalization from './normalization.ts';
import * as oneHot from './one-hot.ts';
import * as pooling from './pooling.ts';
import * as reduction from './reduction.ts';
import * as resize from './resize.ts';
import * as shape from './shape.ts';
import * as slicing from './slicing.ts';
import * as softmax from './softmax.ts';
import * as standardize from './standardize.ts';
import * as topK from './top-k.ts';
import * as transposedConvolution from './transposed-convolution.ts';
import * as unary from './unary.ts';

function isPrimitive(value: unknown): value is Primitive {
  return typeof value === 'object' && value !== null && 'lowering' in value && 'reference' in value;
}

export const primitives: readonly Primitive[] = [
  activation,
  arithmetic,
  attention,
  bitwise,
  comparison,
  constant,
  control,
  convolution,
  groupNorm,
  indexing,
  matmul,
  normalization,
  oneHot,
  pooling,
  reduction,
  resize,
  shape,
  slicing,
  softmax,
  standardize,
  topK,
  transposedConvolution,
  unary,
].flatMap((file) => Object.values<unknown>(file).filter(isPrimitive));

const byName = new Map(primitives.map((primitive) => [primitive.name, primitive]));

/** @throws FlowError if there is no primitive of that name. */
export function primitiveNamed(name: string): Primitive {
  const found = byName.get(name);
  if (found === undefined)
    throw new FlowError({ expected: 'the name of a primitive', got: `\`${name}\``, where: 'engine/primitives' });
  return found;
}
