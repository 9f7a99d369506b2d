/** What a well-formed graph is, checked. */
import { FlowError, ShapeError } from '../errors.ts';
import type { Graph, GraphCall } from './graph.ts';
import { sameShape } from './shape.ts';
import { formatType } from './tensor.ts';

function fail(what: string, got: string): never {
  throw new FlowError({ expected: what, got, where: 'engine/verify' });
}

function verifyCall(graph: Graph, call: GraphCall, index: number, defined: Set<number>): void {
  const label = `call ${index} (${call.primitive.name})`;
  for (const value of call.inputs) {
    if (!defined.has(value)) fail(`operands of ${label} to be defined before it`, `%${value}`);
  }
  const types = call.primitive.outputTypes(
    call.inputs.map((value) => graph.values[value]),
    call.attributes,
  );
  if (types.length !== call.outputs.length) fail(`${label} to have ${types.length} outputs`, `${call.outputs.length}`);
  for (const [output, value] of call.outputs.entries()) {
    const { dtype, shape } = graph.values[value];
    if (dtype !== types[output].dtype || !sameShape(shape, types[output].shape)) {
      throw new ShapeError({
        expected: `%${value} of ${label} to be ${formatType(types[output])}`,
        got: formatType({ dtype, shape }),
        where: 'engine/verify',
      });
    }
    if (defined.has(value)) fail('every value to be defined once', `%${value} again in ${label}`);
    defined.add(value);
  }
}

/**
 * Checks a graph: every value is defined once and before its use (so the graph is acyclic), has the type that its primitive
 * gives it, every call is needed for an output, and names are unique.
 * @throws FlowError or ShapeError naming the first fault.
 */
export function verifyGraph(graph: Graph): void {
  const defined = new Set<number>();
  for (const { name, value } of graph.inputs) {
    if (graph.values[value] === undefined || defined.has(value))
      fail(`input \`${name}\` to be a value of its own`, `%${value}`);
    defined.add(value);
  }
  for (const ports of [graph.inputs, graph.outputs]) {
    const names = ports.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) fail('unique names', `\`${twice}\` twice`);
  }
  for (const [index, call] of graph.calls.entries()) verifyCall(graph, call, index, defined);
  const needed = new Set<number>();
  for (const { name, value } of graph.outputs) {
    if (!defined.has(value)) fail(`output \`${name}\` to be defined`, `%${value}`);
    needed.add(value);
  }
  for (let index = graph.calls.length - 1; index >= 0; index--) {
    const { inputs, outputs, primitive } = graph.calls[index];
    if (!outputs.some((value) => needed.has(value)))
      fail('every call to be needed for an output', `call ${index} (${primitive.name}), a dead end`);
    for (const value of inputs) needed.add(value);
  }
}
