/** How primitives deal with float16 that float16 arithmetic would spoil: they read it and hand it on, and compute in float32. */
import type { DType } from '../dtype.ts';
import { emitCast, type Lower } from '../onnx/lowering.ts';
import type { Operations, Primitive } from '../primitive.ts';
import type { Call, Tensor, TensorType } from '../tensor.ts';

const isHalf = ({ dtype }: TensorType) => dtype === 'float16';

/** The type in which float16 is computed; others as they are. */
function wideType(type: TensorType): TensorType {
  return isHalf(type) ? { ...type, dtype: 'float32' } : type;
}

/**
 * The gradient of a call with float16, in float32. It widens what was saved as float16, so that nothing is kept as float32 between forward
 * and backward pass.
 */
function wideGradient<A extends object>(
  { gradient }: Primitive<A>,
  call: Call<A>,
  { cotangents, ops }: { readonly cotangents: readonly (Tensor | null)[]; readonly ops: Operations },
): readonly (Tensor | null)[] {
  const wide = (x: Tensor) => (isHalf(x) ? ops.cast(x, 'float32') : x);
  const widened = { ...call, inputs: call.inputs.map(wide), outputs: call.outputs.map(wide) };
  const parts = gradient(
    widened,
    cotangents.map((d) => (d === null ? null : wide(d))),
    ops,
  );
  return parts.map((part, index) => (part === null ? null : ops.cast(part, call.inputs[index].dtype)));
}

/** The primitive, whose derivative by float16 is computed in float32. */
export function wideDerivative<A extends object>(primitive: Primitive<A>): Primitive<A> {
  return {
    ...primitive,
    gradient: (call, cotangents, ops) =>
      call.inputs.some(isHalf)
        ? wideGradient(primitive, call, { cotangents, ops })
        : primitive.gradient(call, cotangents, ops),
  };
}

function lowerWide<A extends object>({ lowering }: Primitive<A>): Lower<A> {
  return (emit, call) => {
    const lower = lowering[emit.provider] ?? lowering.default;
    if (!call.inputTypes.some(isHalf)) return lower(emit, call);
    const results = lower(emit, {
      ...call,
      inputs: call.inputs.map((name, i) => (isHalf(call.inputTypes[i]) ? emitCast(emit, name, 'float32') : name)),
      inputTypes: call.inputTypes.map(wideType),
      outputTypes: call.outputTypes.map(wideType),
    });
    return results.map((name, i) => (isHalf(call.outputTypes[i]) ? emitCast(emit, name, 'float16') : name));
  };
}

/**
 * The primitive for float16 operands, too, beside which others may be float32: computed in float32, forward and backward.
 * Source: [micikevicius:18], section 3.3.
 * @param narrow  how many of the results, from the first on, are float16 then; the others are statistics.
 */
export function throughFloat32<A extends object>(primitive: Primitive<A>, narrow = 1): Primitive<A> {
  return {
    ...wideDerivative(primitive),
    outputTypes(inputs, attributes) {
      const types = primitive.outputTypes(inputs.map(wideType), attributes);
      const dtype: DType = 'float16';
      return inputs.some(isHalf) ? types.map((type, i) => (i < narrow ? { ...type, dtype } : type)) : types;
    },
    lowering: { default: lowerWide(primitive) },
  };
}
