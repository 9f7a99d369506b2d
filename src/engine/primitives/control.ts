/** Operations that steer differentiation and memory, and compute nothing of their own. */

import { ShapeError } from '../../errors.ts';
import { dtypeFacts } from '../dtype.ts';
import { callsInOrder, closeGraph, type Graph, inlineGraph } from '../graph.ts';
import { interpret } from '../interpreter.ts';
import type { Emitter, LoweringCall } from '../onnx/lowering.ts';
import type { GradientSums, None, Operations, Primitive } from '../primitive.ts';
import { elementCount } from '../shape.ts';
import {
  applyPrimitive,
  type Call,
  FLOATS,
  formatType,
  placeholder,
  requireSameDtype,
  sameType,
  type Tensor,
} from '../tensor.ts';

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

/** Node names of the tensors, available only once `after` is, without copying them: shapes that cost a look at `after`. */
function emitWaiting(emit: Emitter, { inputs, inputTypes }: LoweringCall<None>): string[] {
  const tensors = inputs.slice(0, -1);
  const last = inputs.length - 1;
  const flat = emit.node('Reshape', [inputs[last], emit.ints([-1])]);
  const first = emit.node('Slice', [flat, emit.ints([0]), emit.ints([1])]);
  // No number is less than itself, but no optimiser knows.
  const never = emit.node('Less', [first, first]);
  const zero = (onnxCode: number) => emit.node('Cast', [never], { attributes: { to: { int: onnxCode } } });
  if (emit.provider === 'webgpu') {
    // It has no int64, and a shape would have to travel to the host.
    return tensors.map((x, i) =>
      dtypeFacts[inputTypes[i].dtype].isFloat
        ? emit.node('Add', [x, zero(dtypeFacts[inputTypes[i].dtype].onnxCode)])
        : emit.node('Identity', [x]),
    );
  }
  // It joins a reshape with the next one, and with it loses what these wait for, or fails.
  emit.keepFrom('ReshapeFusion');
  const none = zero(dtypeFacts.int64.onnxCode);
  const shapes = new Map<string, string>();
  return tensors.map((x, i) => {
    const constant = emit.ints(inputTypes[i].shape);
    if (!shapes.has(constant)) shapes.set(constant, emit.node('Add', [constant, none]));
    return emit.node('Reshape', [x, shapes.get(constant)!], { type: inputTypes[i] });
  });
}

/**
 * Its inputs but for the last, which exist only after the last one does. ONNX Runtime executes a node as soon as it likes; this keeps
 * it from computing early what is recomputed to save memory, and from merging it with the original.
 */
export const barrierPrimitive: Primitive<None> = {
  name: 'barrier',
  outputTypes(inputs) {
    requireSameDtype(inputs.slice(-1), 'engine barrier', FLOATS);
    return inputs.slice(0, -1);
  },
  gradient: (_call, cotangents) => [...cotangents, null],
  lowering: {
    default: (emit, call) =>
      elementCount(call.inputTypes[call.inputs.length - 1].shape) === 0
        ? call.inputs.slice(0, -1).map((x) => emit.node('Identity', [x]))
        : emitWaiting(emit, call),
  },
  reference: (inputs) => inputs.slice(0, -1).map(({ data }) => data),
  examples: [
    {
      inputs: [
        { shape: [2, 3] },
        { shape: [], dtype: 'int64' },
        { shape: [3, 2] },
        { shape: [2, 3] },
        { shape: [2, 2] },
      ],
      attributes: {},
    },
    { inputs: [{ shape: [2, 3] }, { shape: [] }], attributes: {} },
    { inputs: [{ shape: [2, 3] }, { shape: [0] }], attributes: {} },
  ],
  counterexamples: [
    {
      inputs: [
        { dtype: 'float32', shape: [2] },
        { dtype: 'int32', shape: [2] },
      ],
      attributes: {},
      message: /dtype among float32/,
    },
  ],
};

type RematerialiseAttributes = { readonly body: Graph };

/** The body's outputs from the call's inputs, in order. */
function expandBody(inputs: readonly Tensor[], { body }: RematerialiseAttributes): Tensor[] {
  const results = inlineGraph(body, Object.fromEntries(body.inputs.map(({ name }, i) => [name, inputs[i]])));
  return body.outputs.map(({ name }) => results[name]);
}

function addBodyGradient(
  { inputs, attributes }: Call<RematerialiseAttributes>,
  { incoming, before, wanted }: GradientSums,
  ops: Operations,
): (Tensor | null)[] {
  const used = incoming.map((_, i) => i).filter((i) => incoming[i] !== null);
  const again = applyPrimitive(barrierPrimitive, [...inputs, incoming[used[0]] as Tensor], {});
  const outputs = expandBody(again, attributes);
  const floats = inputs.map((_, i) => i).filter((i) => wanted[i] && isFloat(inputs[i]));
  const sums = ops.addProducts(
    used.map((i) => outputs[i]),
    floats.map((i) => again[i]),
    { cotangents: used.map((i) => incoming[i] as Tensor), before: floats.map((i) => before[i]) },
  );
  const together = handedOnTogether(
    sums.filter((sum) => sum !== null),
    ops,
  );
  let next = 0;
  const handed = sums.map((sum) => (sum === null ? null : together[next++]));
  const gradients = inputs.map((): Tensor | null => null);
  for (const [position, index] of floats.entries()) gradients[index] = handed[position];
  return gradients;
}

/**
 * The tensors, each of which exists only after all of them do. What was recomputed for them can then be given up before the gradient goes
 * on; a runtime would otherwise leave the gradients of weights, which nothing waits for, to the end.
 */
function handedOnTogether(tensors: readonly Tensor[], ops: Operations): readonly Tensor[] {
  const some = tensors.filter(({ shape }) => elementCount(shape) > 0);
  if (some.length < 2) return tensors;
  return applyPrimitive(barrierPrimitive, [...tensors, firstElements(some, ops)], {});
}

/** The first elements of floats that are not empty: something to wait for, [tensors]. */
export function firstElements(
  tensors: readonly Tensor[],
  { cast, concat, reshape, slice }: Pick<Operations, 'cast' | 'concat' | 'reshape' | 'slice'>,
): Tensor {
  const dtype = tensors.every((x) => x.dtype === tensors[0].dtype) ? tensors[0].dtype : 'float32';
  return concat(
    tensors.map((x) => cast(slice(reshape(x, [-1]), { 0: { end: 1 } }), dtype)),
    0,
  );
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
  gradient: (call, incoming, ops) =>
    addBodyGradient(call, { incoming, before: call.inputs.map(() => null), wanted: call.inputs.map(() => true) }, ops),
  addGradient: addBodyGradient,
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
