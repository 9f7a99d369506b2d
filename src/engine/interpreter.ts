/** Executes a graph by the primitives' float64 references: slow, exact to double precision, for tests and diagnosis. */
import { ShapeError } from '../errors.ts';
import type { HostArray } from './dtype.ts';
import type { Graph } from './graph.ts';
import type { ReferenceTensor } from './primitive.ts';
import { elementCount } from './shape.ts';
import { formatType } from './tensor.ts';

/**
 * Outputs by name, in float64 whatever their dtype.
 * @param inputs  elements by input name, row-major.
 * @throws ShapeError if an input is missing or has another number of elements.
 */
export function interpret(
  graph: Graph,
  inputs: Readonly<Record<string, HostArray | readonly number[]>>,
): Record<string, Float64Array> {
  const values = new Array<Float64Array>(graph.values.length);
  for (const { name, value } of graph.inputs) {
    const given = inputs[name];
    const count = elementCount(graph.values[value].shape);
    if (given === undefined || given.length !== count) {
      throw new ShapeError({
        expected: `\`${name}\` to be ${formatType(graph.values[value])} with ${count} elements`,
        got: given === undefined ? 'nothing' : `${given.length} elements`,
        where: 'engine/interpreter',
      });
    }
    values[value] = Float64Array.from(given as ArrayLike<number | bigint>, Number);
  }
  for (const { primitive, attributes, inputs: from, outputs: to } of graph.calls) {
    const operands = from.map((value): ReferenceTensor => ({ ...graph.values[value], data: values[value] }));
    const results = primitive.reference(
      operands,
      attributes,
      to.map((value) => graph.values[value]),
    );
    for (const [index, value] of to.entries()) values[value] = results[index];
  }
  return Object.fromEntries(graph.outputs.map(({ name, value }) => [name, values[value]]));
}
