/**
 * Graphs in closed form: numbered values, calls in an order in which they can be executed, named inputs and outputs. Made by
 * tracing a function; read by the printer, the verifier, the interpreter and the ONNX emitter.
 */
import { ShapeError } from '../errors.ts';
import { formatAttributes } from './graph-text.ts';
import type { Primitive } from './primitive.ts';
import { type Attributes, applyPrimitive, type Call, placeholder, type Tensor, type TensorType } from './tensor.ts';

export interface GraphPort {
  readonly name: string;
  /** Index into `Graph.values`. */
  readonly value: number;
}

export interface GraphCall {
  readonly primitive: Primitive;
  readonly attributes: Attributes;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface Graph {
  readonly values: readonly TensorType[];
  readonly inputs: readonly GraphPort[];
  readonly calls: readonly GraphCall[];
  readonly outputs: readonly GraphPort[];
}

/** Calls that the tensors depend on, each after the calls it depends on. */
export function callsInOrder(roots: readonly Tensor[]): Call[] {
  const ordered: Call[] = [];
  const state = new Map<Call, 'open' | 'done'>();
  const stack: Call[] = [];
  const push = ({ call }: Tensor) => {
    if (call !== null && !state.has(call)) stack.push(call);
  };
  for (const root of roots) {
    push(root);
    while (stack.length > 0) {
      const call = stack[stack.length - 1];
      if (state.get(call) === undefined) {
        state.set(call, 'open');
        for (let i = call.inputs.length - 1; i >= 0; i--) push(call.inputs[i]);
      } else {
        stack.pop();
        if (state.get(call) === 'open') ordered.push(call);
        state.set(call, 'done');
      }
    }
  }
  return ordered;
}

/** Text that is equal for two calls exactly when they compute the same thing from the same values. */
function callKey(
  primitive: Primitive,
  attributes: Attributes,
  inputs: readonly number[],
  types: readonly TensorType[],
): string {
  const shapes = types.map(({ dtype, shape }) => `${dtype}${shape.join('x')}`).join(';');
  return `${primitive.name}(${inputs.join(',')})${shapes}${formatAttributes(attributes)}`;
}

/**
 * The graph that computes the outputs from the inputs: calls that no output needs are absent, and equal calls stand once.
 * @throws ShapeError if an output depends on a placeholder that is not among the inputs.
 */
export function closeGraph(
  inputs: readonly (readonly [string, Tensor])[],
  outputs: readonly (readonly [string, Tensor])[],
): Graph {
  const values: TensorType[] = [];
  const indexOf = new Map<Tensor, number>();
  const define = (type: TensorType): number => values.push({ dtype: type.dtype, shape: type.shape }) - 1;
  const read = (tensor: Tensor): number => {
    const value = indexOf.get(tensor);
    if (value !== undefined) return value;
    throw new ShapeError({
      expected: 'every tensor to come from the inputs',
      got: 'a tensor of another trace',
      where: 'engine/trace',
    });
  };
  const ports = inputs.map(([name, tensor]) => {
    indexOf.set(tensor, define(tensor));
    return { name, value: read(tensor) };
  });
  const calls: GraphCall[] = [];
  const known = new Map<string, readonly number[]>();
  for (const call of callsInOrder(outputs.map(([, tensor]) => tensor))) {
    const from = call.inputs.map(read);
    const key = callKey(call.primitive, call.attributes, from, call.outputs);
    let to = known.get(key);
    if (to === undefined) {
      to = call.outputs.map(define);
      known.set(key, to);
      calls.push({ primitive: call.primitive, attributes: call.attributes, inputs: from, outputs: to });
    }
    for (const [index, output] of call.outputs.entries()) if (!indexOf.has(output)) indexOf.set(output, to[index]);
  }
  return { values, inputs: ports, calls, outputs: outputs.map(([name, tensor]) => ({ name, value: read(tensor) })) };
}

/** Outputs of the graph's function applied to tensors, by name: the inverse of tracing. */
export function inlineGraph(graph: Graph, inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const tensors = new Array<Tensor>(graph.values.length);
  for (const { name, value } of graph.inputs) {
    const given = inputs[name];
    if (given === undefined)
      throw new ShapeError({ expected: `an input \`${name}\``, got: 'none', where: 'engine/graph inlineGraph' });
    tensors[value] = given;
  }
  for (const { primitive, attributes, inputs: from, outputs: to } of graph.calls) {
    const results = applyPrimitive(
      primitive,
      from.map((value) => tensors[value]),
      attributes,
    );
    for (const [index, value] of to.entries()) tensors[value] = results[index];
  }
  return Object.fromEntries(graph.outputs.map(({ name, value }) => [name, tensors[value]]));
}

/** Fresh placeholders for the graph's inputs, by name. */
export function placeholdersFor(graph: Graph): Record<string, Tensor> {
  return Object.fromEntries(graph.inputs.map(({ name, value }) => [name, placeholder(graph.values[value])]));
}
