/** What a well-formed graph is, checked. */
import { FlowError } from '../errors.ts';
import type { Graph, GraphCall, GraphPort } from './graph.ts';
import { isGraph } from './graph-text.ts';
import { formatType, sameType } from './tensor.ts';

function fail(expected: string, got: string): never {
  throw new FlowError({ expected, got, where: 'engine/verify' });
}

function verifyNames(ports: readonly GraphPort[]): void {
  const names = new Set<string>();
  for (const { name } of ports) {
    if (names.has(name)) fail('unique names', `\`${name}\` twice`);
    names.add(name);
  }
}

function verifyCall(graph: Graph, index: number, defined: Set<number>): void {
  const { primitive, inputs, outputs, attributes } = graph.calls[index];
  const label = `call ${index} (${primitive.name})`;
  for (const attribute of Object.values(attributes)) if (isGraph(attribute)) verifyGraph(attribute);
  for (const value of inputs) {
    if (!defined.has(value)) fail(`operands of ${label} to be defined before it`, `%${value}`);
  }
  const operands = inputs.map((value) => graph.values[value]);
  const types = primitive.outputTypes(operands, attributes);
  if (types.length !== outputs.length) fail(`${label} to have ${types.length} outputs`, `${outputs.length}`);
  for (const [output, value] of outputs.entries()) {
    define(graph, value, { defined, label });
    if (!sameType(graph.values[value], types[output]))
      fail(`%${value} of ${label} to be ${formatType(types[output])}`, formatType(graph.values[value]));
  }
}

function define(
  { values }: Graph,
  value: number,
  { defined, label }: { readonly defined: Set<number>; readonly label: string },
): void {
  if (values[value] === undefined) fail(`${label} to define a value with a type`, `%${value}`);
  if (defined.has(value)) fail('every value to be defined once', `%${value} again by ${label}`);
  if (value !== defined.size) fail(`values in order: %${defined.size} by ${label}`, `%${value}`);
  defined.add(value);
}

/** Walks back from the outputs: a call that it does not meet is a dead end. */
function verifyNeed(calls: readonly GraphCall[], outputs: readonly GraphPort[]): void {
  const needed = new Set(outputs.map(({ value }) => value));
  for (let index = calls.length - 1; index >= 0; index--) {
    const { inputs, outputs: results, primitive } = calls[index];
    if (!results.some((value) => needed.has(value)))
      fail('every call to be needed for an output', `call ${index} (${primitive.name}), a dead end`);
    for (const value of inputs) needed.add(value);
  }
}

/**
 * Checks a graph and the bodies of its calls: values are defined once, in order, before their use (so the graph is acyclic), each
 * has the type that its primitive gives it, every call is needed for an output, and names are unique among inputs and among outputs.
 * @throws FlowError naming the first fault; ShapeError where a primitive refuses its operands.
 */
export function verifyGraph(graph: Graph): void {
  const { inputs, calls, outputs, values } = graph;
  verifyNames(inputs);
  verifyNames(outputs);
  const defined = new Set<number>();
  for (const { name, value } of inputs) define(graph, value, { defined, label: `input \`${name}\`` });
  for (const index of calls.keys()) verifyCall(graph, index, defined);
  if (defined.size !== values.length) fail(`${values.length} values to be defined`, `${defined.size}`);
  for (const { name, value } of outputs) {
    if (!defined.has(value)) fail(`output \`${name}\` to be defined`, `%${value}`);
  }
  verifyNeed(calls, outputs);
}
