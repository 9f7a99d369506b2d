/**
 * Graphs in closed form: numbered values, calls in an order in which they can be executed, named inputs and outputs. Made by
 * tracing a function; read by the printer, the verifier, the interpreter and the ONNX emitter.
 */
import { ShapeError } from '../errors.ts';
import { attributesKey } from './graph-text.ts';
import type { Primitive } from './primitive.ts';
import {
  type Attributes,
  applyPrimitive,
  type Call,
  formatType,
  placeholder,
  sameType,
  type Tensor,
  type TensorType,
} from './tensor.ts';

/** A named input or output. */
export interface GraphPort {
  readonly name: string;
  /** Index into `Graph.values`. */
  readonly value: number;
}

/** A call whose operands and results are indices into `Graph.values`. */
export interface GraphCall {
  readonly primitive: Primitive;
  readonly attributes: Attributes;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface Graph {
  /** Types of all values, numbered in the order of their definitions: inputs first, then results of calls. */
  readonly values: readonly TensorType[];
  readonly inputs: readonly GraphPort[];
  readonly calls: readonly GraphCall[];
  readonly outputs: readonly GraphPort[];
}

/** Calls that the tensors depend on, each after the calls it depends on; what `given` tensors depend on is left out. */
export function callsInOrder(roots: readonly Tensor[], given: ReadonlySet<Tensor> = new Set()): Call[] {
  const ordered: Call[] = [];
  const state = new Map<Call, 'open' | 'done'>();
  const stack: Call[] = [];
  const push = (tensor: Tensor) => {
    const { call } = tensor;
    if (call !== null && !state.has(call) && !given.has(tensor)) stack.push(call);
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

/** A named tensor. */
export type NamedTensor = readonly [name: string, tensor: Tensor];

function checkPorts(ports: readonly NamedTensor[], what: string): void {
  const names = new Set<string>();
  for (const [name] of ports) {
    if (name === '' || names.has(name)) {
      const got = name === '' ? 'an empty name' : `\`${name}\` twice`;
      throw new ShapeError({ expected: `each ${what} to have a name of its own`, got, where: 'engine/graph' });
    }
    names.add(name);
  }
}

/** Values of a graph under construction, and their numbers. */
class ValueTable {
  readonly types: TensorType[] = [];
  readonly #numbers = new Map<Tensor, number>();

  define({ dtype, shape }: TensorType): number {
    return this.types.push({ dtype, shape }) - 1;
  }

  bind(tensor: Tensor, value: number): void {
    if (!this.#numbers.has(tensor)) this.#numbers.set(tensor, value);
  }

  read(tensor: Tensor): number {
    const value = this.#numbers.get(tensor);
    if (value !== undefined) return value;
    throw new ShapeError({
      expected: 'every tensor to come from the inputs',
      got: `a placeholder ${formatType(tensor)} of another trace`,
      where: 'engine/graph',
      remedy: 'passing it as an input',
    });
  }
}

/**
 * The graph that computes the outputs from the inputs: calls that no output needs are absent, and equal calls stand once.
 * @param inputs  placeholders, or intermediate tensors, whose own calls are then left out.
 * @throws ShapeError if an output depends on a placeholder that is not among the inputs, or names are empty or equal.
 */
export function closeGraph(inputs: readonly NamedTensor[], outputs: readonly NamedTensor[]): Graph {
  checkPorts(inputs, 'input');
  checkPorts(outputs, 'output');
  const values = new ValueTable();
  const ports = inputs.map(([name, tensor]) => {
    const value = values.define(tensor);
    values.bind(tensor, value);
    return { name, value };
  });
  const calls: GraphCall[] = [];
  const known = new Map<string, readonly number[]>();
  const needed = callsInOrder(
    outputs.map(([, tensor]) => tensor),
    new Set(inputs.map(([, tensor]) => tensor)),
  );
  for (const call of needed) {
    const { primitive, attributes } = call;
    const from = call.inputs.map((tensor) => values.read(tensor));
    // Calls with the same key compute the same thing from the same values.
    const key = `${primitive.name}(${from.join(',')})${attributesKey(attributes)}`;
    let to = known.get(key);
    if (to === undefined) {
      to = call.outputs.map((output) => values.define(output));
      known.set(key, to);
      calls.push({ primitive, attributes, inputs: from, outputs: to });
    }
    for (const [index, output] of call.outputs.entries()) values.bind(output, to[index]);
  }
  const results = outputs.map(([name, tensor]) => ({ name, value: values.read(tensor) }));
  return { values: values.types, inputs: ports, calls, outputs: results };
}

/** How a call is made again on other tensors. */
export type Apply = (primitive: Primitive, inputs: readonly Tensor[], attributes: Attributes) => readonly Tensor[];

/**
 * Outputs of the graph's function applied to tensors, by name: the inverse of tracing.
 * @param apply  how calls are made; default as they were.
 * @throws ShapeError if an input is missing or of another type.
 */
export function inlineGraph(
  graph: Graph,
  inputs: Readonly<Record<string, Tensor>>,
  apply: Apply = applyPrimitive,
): Record<string, Tensor> {
  const tensors = new Array<Tensor>(graph.values.length);
  for (const { name, value } of graph.inputs) {
    const given = Object.hasOwn(inputs, name) ? inputs[name] : null;
    if (given === null || !sameType(given, graph.values[value])) {
      throw new ShapeError({
        expected: `an input \`${name}\` of type ${formatType(graph.values[value])}`,
        got: given === null ? 'none' : formatType(given),
        where: 'engine/graph inlineGraph',
      });
    }
    tensors[value] = given;
  }
  makeCalls(graph, tensors, apply);
  return Object.fromEntries(graph.outputs.map(({ name, value }) => [name, tensors[value]]));
}

/** Makes the graph's calls. @param tensors  by number of value: those of the inputs are there, those of results are added. */
function makeCalls({ calls }: Graph, tensors: Tensor[], apply: Apply): void {
  for (const { primitive, attributes, inputs: from, outputs: to } of calls) {
    const operands = from.map((value) => tensors[value]);
    const results = apply(primitive, operands, attributes);
    for (const [index, value] of to.entries()) tensors[value] = results[index];
  }
}

/**
 * Outputs of a graph whose calls are made in another way, in order.
 * @param inputs  in the order of the graph's; of their shapes, but of any dtype that `apply` can deal with.
 */
export function remakeCalls(graph: Graph, inputs: readonly Tensor[], apply: Apply): Tensor[] {
  const tensors = new Array<Tensor>(graph.values.length);
  for (const [index, { value }] of graph.inputs.entries()) tensors[value] = inputs[index];
  makeCalls(graph, tensors, apply);
  return graph.outputs.map(({ value }) => tensors[value]);
}

/** Fresh placeholders for the graph's inputs, by name. */
export function placeholdersFor(graph: Graph): Record<string, Tensor> {
  return Object.fromEntries(graph.inputs.map(({ name, value }) => [name, placeholder(graph.values[value])]));
}

/** The same graph with the bodies of its calls in place of the calls. */
export function expandGraph(graph: Graph): Graph {
  if (graph.calls.every(({ primitive }) => primitive.expand === undefined)) return graph;
  const inputs = placeholdersFor(graph);
  const outputs = inlineGraph(
    graph,
    inputs,
    (primitive, operands, attributes) =>
      primitive.expand?.(operands, attributes) ?? applyPrimitive(primitive, operands, attributes),
  );
  // A body may hold such calls, too.
  return expandGraph(closeGraph(Object.entries(inputs), Object.entries(outputs)));
}
