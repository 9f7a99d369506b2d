/** Operations that steer differentiation and memory, and compute nothing of their own. */

import { ShapeError } from '../../errors.ts';
import { dtypeFacts } from '../dtype.ts';
import { callsInOrder, closeGraph, type Graph, inlineGraph } from '../graph.ts';
import { interpret } from '../interpreter.ts';
import type { None, Primitive } from '../primitive.ts';
import { applyPrimitive, formatType, placeholder, sameType, type Tensor } from '../tensor.ts';

const isFloat = ({ dtype }: Tensor) => dtypeFacts[dtype].isFloat;

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
  lowering: {
    default(emit, { inputs }) {
      // It would merge recomputed values with the originals.
      emit.keepFrom('CommonSubexpressionElimination');
      return [emit.node('Identity', inputs)];
    },
  },
  reference: ([x]) => [x.data],
  examples: [{ inputs: [{ shape: [2, 3] }], attributes: {} }],
  counterexamples: [],
};

type RematerialiseAttributes = { readonly body: Graph };

/** The body's outputs from the call's inputs, in order. */
function expandBody(inputs: readonly Tensor[], { body }: RematerialiseAttributes): Tensor[] {
  const results = inlineGraph(body, Object.fromEntries(body.inputs.map(({ name }, i) => [name, inputs[i]])));
  return body.outputs.map(({ name }) => results[name]);
}

/** A sub-graph whose intermediate values are computed again for the gradient instead of being kept [chen:16]. */
export const rematerialisePrimitive: Primitive<RematerialiseAttributes> = {
  name: 'rematerialise',
  outputTypes(inputs, { body }) {
    const wanted = body.inputs.map(({ value }) => body.values[value]);
    if (wanted.length !== inputs.length || !wanted.every((type, i) => sameType(type, inputs[i]))) {
      throw new ShapeError({
        expected: `inputs ${wanted.map(formatType).join(', ')} of the body`,
        got: inputs.map(formatType).join(', ') || 'none',
        where: 'engine rematerialise',
      });
    }
    return body.outputs.map(({ value }) => body.values[value]);
  },
  gradient({ inputs, attributes }, cotangents, { vectorJacobianProduct }) {
    const again = inputs.map((x) => applyPrimitive(barrierPrimitive, [x], {})[0]);
    const outputs = expandBody(again, attributes);
    const used = outputs.map((_, i) => i).filter((i) => cotangents[i] !== null);
    const parts = vectorJacobianProduct(
      used.map((i) => outputs[i]),
      again.filter(isFloat),
      used.map((i) => cotangents[i] as Tensor),
    );
    let next = 0;
    return inputs.map((x) => (isFloat(x) ? parts[next++] : null));
  },
  expand: expandBody,
  lowering: { default: (emit, { inputs, attributes: { body } }) => emit.graph(body, inputs) },
  reference(inputs, { body }) {
    const results = interpret(body, Object.fromEntries(body.inputs.map(({ name }, i) => [name, inputs[i].data])));
    return body.outputs.map(({ name }) => results[name]);
  },
  // Its only argument is a graph: test/engine/rematerialise.test.ts has the examples.
  examples: [],
  counterexamples: [],
};

/** x, through which no gradient flows. */
export function stopGradient(x: Tensor): Tensor {
  return applyPrimitive(stopGradientPrimitive, [x], {})[0];
}

/**
 * What a function captured from outside: tensors that do not depend on its inputs, but that something inside reads or that are
 * themselves outputs. Constants are not among them; the body has its own.
 */
function capturedTensors(inputs: readonly Tensor[], outputs: readonly Tensor[]): Tensor[] {
  const inside = new Set<Tensor>(inputs);
  const read = [...outputs];
  for (const call of callsInOrder(outputs, inside)) {
    if (!call.inputs.some((x) => inside.has(x))) continue;
    read.push(...call.inputs);
    for (const output of call.outputs) inside.add(output);
  }
  return [...new Set(read)].filter((x) => !inside.has(x) && x.call?.inputs.length !== 0);
}

/**
 * f(inputs), whose intermediate values are computed again during differentiation: memory for time [chen:16].
 * Tensors that f captures from outside become inputs of their own, so that gradients reach them.
 * @returns the outputs of f as a list, also where f returns a single tensor.
 */
export function rematerialise(
  f: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
): Tensor[] {
  const inner = inputs.map(placeholder);
  const traced = f(...inner);
  const outputs = 'dtype' in traced ? [traced] : traced;
  const captured = capturedTensors(inner, outputs);
  const body = closeGraph(
    [...inner, ...captured].map((tensor, i) => [`x${i}`, tensor]),
    outputs.map((tensor, i) => [`y${i}`, tensor]),
  );
  return [...applyPrimitive(rematerialisePrimitive, [...inputs, ...captured], { body })];
}
