/** Checks of values and specs of tensors at the border between host and runtime. */
import { ShapeError } from '../errors.ts';
import { type HostArray, isHostArrayOf } from './dtype.ts';
import type { TensorSpec } from './runtime.ts';
import { elementCount, formatShape } from './shape.ts';
import type { TensorType } from './tensor.ts';

/** Spec of a graph's input or output. @throws ShapeError for float16, which the host has no numbers for. */
export function tensorSpec(name: string, { dtype, shape }: TensorType): TensorSpec {
  if (dtype !== 'float16') return { name, dtype, shape };
  throw new ShapeError({
    expected: 'inputs and outputs that the host can hold',
    got: `\`${name}\` of float16`,
    where: 'engine/tensor-spec',
    remedy: '`cast` within the graph',
  });
}

/** A spec without its name, as messages show it: "float32 [2, 3]". */
export function describeSpec({ dtype, shape }: Omit<TensorSpec, 'name'>): string {
  return `${dtype} ${formatShape(shape)}`;
}

/** @throws ShapeError unless `values` can be the contents of a tensor of this spec. */
export function checkElements(spec: TensorSpec, values: HostArray, where: string): void {
  if (isHostArrayOf(spec.dtype, values) && values.length === elementCount(spec.shape)) return;
  throw new ShapeError({
    expected: `values of \`${spec.name}\` to be ${describeSpec(spec)}`,
    got: `${values.constructor.name} of length ${values.length}`,
    where,
  });
}
