import { FlowError } from '../../errors.ts';
import type { HostArray } from '../dtype.ts';
import type { OnnxGraph } from './model-proto.ts';

/**
 * The graph with some of its inputs as initialisers of the same names, so that a file holds its own weights.
 * @param values  by name of the input.
 * @throws FlowError if a name is not that of an input.
 */
export function withConstantInputs(graph: OnnxGraph, values: Readonly<Record<string, HostArray>>): OnnxGraph {
  const known = new Set(graph.inputs.map(({ name }) => name));
  const unknown = Object.keys(values).find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new FlowError({ expected: 'names of inputs', got: `\`${unknown}\``, where: 'engine/onnx constant-inputs' });
  }
  const isConstant = ({ name }: { readonly name: string }) => Object.hasOwn(values, name);
  const constants = graph.inputs.filter(isConstant).map((input) => ({ ...input, data: values[input.name]! }));
  return {
    ...graph,
    inputs: graph.inputs.filter((input) => !isConstant(input)),
    initializers: [...graph.initializers, ...constants],
  };
}
