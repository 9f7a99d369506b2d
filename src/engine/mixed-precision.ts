/**
 * Mixed precision: a float32 graph whose heavy work is done in float16. Source: [micikevicius:18], sections 3.1 and 3.3.
 *
 * Matrix products and convolutions, and the elementwise maps between them, are computed in float16. Norms and softmax read float16 and hand
 * it on, and compute in float32; so do sums. All else is float32: exponentials, roots, quotients. Casts stand in between, so that gradients
 * follow: that of a float16 value is float16, and that of what was cast from float32, such as a parameter, is float32 again.
 */
import type { DType } from './dtype.ts';
import { type Apply, closeGraph, type Graph, remakeCalls } from './graph.ts';
import { cast, rematerialise } from './ops.ts';
import { rematerialisePrimitive } from './primitives/control.ts';
import { type Attributes, applyPrimitive, type Tensor } from './tensor.ts';

/** What is worth a cast: computed in float16 whatever the operands are. */
const heavy: ReadonlySet<string> = new Set(['matmul', 'conv2d', 'convTranspose2d']);

/** What goes on in float16 where an operand is: cheap maps, and what moves elements. Their derivatives are of such maps, too. */
const following: ReadonlySet<string> = new Set([
  'add',
  'subtract',
  'multiply',
  'maximum',
  'minimum',
  'negate',
  'relu',
  'leakyRelu',
  'sigmoid',
  'silu',
  'tanh',
  'gelu',
  'geluTanh',
  'averagePool2d',
  'repeatPixels',
  'reshape',
  'transpose',
  'broadcastTo',
  'concat',
  'slice',
  'pad',
  'stopGradient',
]);

/** What reads float16 and hands it on, and computes in float32 by itself; its other operands, such as scales, stay float32. */
const careful: ReadonlySet<string> = new Set(['standardize', 'rmsScale', 'groupNorm', 'softmax']);

const isHalf = ({ dtype }: Tensor) => dtype === 'float16';

/** Floats of one of the two dtypes as the other one; all else as it is. */
function asFloat(x: Tensor, dtype: DType): Tensor {
  return isHalf(x) || x.dtype === 'float32' ? cast(x, dtype) : x;
}

/** A body is rewritten for the operands that it gets, and stays one. */
function remakeBody(inputs: readonly Tensor[], { body }: { readonly body: Graph }): readonly Tensor[] {
  return rematerialise((...inner) => remakeCalls(body, inner, mixedCall), inputs);
}

const mixedCall: Apply = (primitive, inputs, attributes: Attributes) => {
  const { name } = primitive;
  if (name === rematerialisePrimitive.name) return remakeBody(inputs, attributes as { readonly body: Graph }); // its attributes
  const operands = (dtype: DType) => inputs.map((input) => asFloat(input, dtype));
  if (heavy.has(name)) return applyPrimitive(primitive, operands('float16'), attributes);
  if (!inputs.some(isHalf)) return applyPrimitive(primitive, inputs, attributes);
  if (following.has(name)) return applyPrimitive(primitive, operands('float16'), attributes);
  const [first, ...others] = operands('float32');
  return applyPrimitive(primitive, [careful.has(name) ? inputs[0] : first, ...others], attributes);
};

/**
 * The same function of the tensors `given`, in mixed precision.
 * @param outputs  float32 or integer, of any shape.
 * @param given  what they depend on, placeholders or intermediate tensors: all before these stays as it is.
 * @returns tensors of the types of `outputs`.
 * @throws ShapeError if an output depends on a placeholder that is not given.
 */
export function inMixedPrecision(outputs: readonly Tensor[], given: readonly Tensor[]): Tensor[] {
  const graph = closeGraph(
    given.map((tensor, i) => [`x${i}`, tensor]),
    outputs.map((tensor, i) => [`y${i}`, tensor]),
  );
  return remakeCalls(graph, given, mixedCall).map((tensor, i) => asFloat(tensor, outputs[i].dtype));
}
