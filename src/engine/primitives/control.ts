/** Operations that steer differentiation and memory, and compute nothing of their own. */

import { dtypeFacts } from '../dtype.ts';
import { callsInOrder, closeGraph, type Graph, inlineGraph } from '../graph.ts';
import { interpret } from '../interpreter.ts';
import type { None, Primitive } from '../primitive.ts';
import { applyPrimitive, placeholder, type Tensor } from '../tensor.ts';

export const stopGradientPrimitive: Primitive<None> = {
  name: 'stopGradient',
  outputTypes: ([x]) => [x],
  gradient: () => [null],
  lowering: { default: (_emit, { inputs: [x] }) => [x] },
  reference: ([x]) => [x.data],
  // Its derivative is zero by definition, not the function's: the law of central differences does not hold.
  examples: [],
  counterexamples: [],
};

/** An identity that common-subexpression elimination must not see through, so that recomputed values are computed again. */
export const barrierPrimitive: Primitive<None> = {
  name: 'barrier',
  outputTypes: ([x]) => [x],
  gradient: (_call, [d]) => [d],
  lowering: { default: (emit, { inputs }) => [emit.node('Identity', inputs)] },
  reference: ([x]) => [x.data],
  examples: [{ inputs: [{ shape: [2, 3] }], attributes: {} }],
  counterexamples: [],
};

type RematerialiseAttributes = { readonly body: Graph };

/** A sub-graph whose intermediate values are computed again for the gradient instead of being kept [chen:16]. */
export const rematerialisePrimitive: Primitive<RematerialiseAttributes> = {
  name: 'rematerialise',
  outputTypes: (_inputs, { body }) => body.outputs.map(({ value }) => body.values[value]),
  gradient({ inputs, attributes: { body } }, cotangents, { vectorJacobianProduct, zerosLike }) {
    const again = inputs.map((x) => applyPrimitive(barrierPrimitive, [x], {})[0]);
    const results = inlineGraph(body, Object.fromEntries(body.inputs.map(({ name }, i) => [name, again[i]])));
    const outputs = body.outputs.map(({ name }) => results[name]);
    const incoming = cotangents.map((d, i) => d ?? zerosLike(outputs[i]));
    const floats = again.filter(({ dtype }) => dtypeFacts[dtype].isFloat);
    const parts = vectorJacobianProduct(outputs, floats, incoming);
    let next = 0;
    return inputs.map(({ dtype }) => (dtypeFacts[dtype].isFloat ? parts[next++] : null));
  },
  lowering: { default: (emit, { inputs, attributes: { body } }) => emit.graph(body, inputs) },
  reference(inputs, { body }) {
    const results = interpret(body, Object.fromEntries(body.inputs.map(({ name }, i) => [name, inputs[i].data])));
    return body.outputs.map(({ name }) => results[name]);
  },
  examples: [],
  counterexamples: [],
};

/** x, through which no gradient flows. */
export function stopGradient(x: Tensor): Tensor {
  return applyPrimitive(stopGradientPrimitive, [x], {})[0];
}

/** Tensors that `outputs` need and that do not depend on `inputs`: what a function captured from outside. */
function capturedTensors(inputs: readonly Tensor[], outputs: readonly Tensor[]): Tensor[] {
  const inside = new Set<Tensor>(inputs);
  const captured = new Set<Tensor>();
  const calls = callsInOrder(outputs);
  for (const call of calls) {
    if (call.inputs.some((x) => inside.has(x))) for (const output of call.outputs) inside.add(output);
  }
  for (const call of calls) {
    if (!call.outputs.some((output) => inside.has(output))) continue;
    for (const x of call.inputs) if (!inside.has(x) && x.call?.inputs.length !== 0) captured.add(x);
  }
  return [...captured];
}

/**
 * f(inputs), whose intermediate values are computed again during differentiation: memory for time [chen:16].
 * Tensors that f captures from outside become inputs of their own, so that gradients reach them.
 */
export function rematerialise(
  f: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
): Tensor[] {
  const inner = inputs.map(placeholder);
  const traced = f(...inner);
  const outputs = 'dtype' in traced ? [traced] : [...traced];
  const captured = capturedTensors(inner, outputs);
  const substitutes = captured.map(placeholder);
  const swap = new Map<Tensor, Tensor>(captured.map((tensor, i) => [tensor, substitutes[i]]));
  const body = closeGraph(
    [...inner, ...substitutes].map((tensor, i) => [`x${i}`, tensor] as const),
    substitute(outputs, swap).map((tensor, i) => [`y${i}`, tensor] as const),
  );
  return [...applyPrimitive(rematerialisePrimitive, [...inputs, ...captured], { body })];
}

/** The same computation with some tensors replaced. */
function substitute(outputs: readonly Tensor[], swap: Map<Tensor, Tensor>): Tensor[] {
  const replaced = (x: Tensor) => swap.get(x) ?? x;
  for (const call of callsInOrder(outputs)) {
    if (call.outputs.every((output) => swap.has(output)) || call.inputs.every((x) => replaced(x) === x)) continue;
    const results = applyPrimitive(call.primitive, call.inputs.map(replaced), call.attributes);
    for (const [i, output] of call.outputs.entries()) if (!swap.has(output)) swap.set(output, results[i]);
  }
  return outputs.map(replaced);
}
