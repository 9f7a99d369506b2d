import { FlowError } from '../../errors.ts';
import type { HostArray } from '../dtype.ts';
import type { OnnxGraph, OnnxInitializer, OnnxValueInfo } from './model-proto.ts';

/**
 * The graph with some of its inputs as initialisers of the same names, so that a file holds its own weights.
 * @param values  by name of the input.
 * @throws FlowError if a name is not that of an input. Values that do not fill their input's shape are found when the file is written.
 */
export function withConstantInputs(
  graph: OnnxGraph<OnnxValueInfo>,
  values: Readonly<Record<string, HostArray>>,
): OnnxGraph<OnnxValueInfo> {
  const known = new Set(graph.inputs.map(({ name }) => name));
  const unknown = Object.keys(values).find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new FlowError({ expected: 'names of inputs', got: `\`${unknown}\``, where: 'engine/onnx constant-inputs' });
  }
  const isConstant = ({ name }: { readonly name: string }) => Object.hasOwn(values, name);
  const constants = graph.inputs.filter(isConstant).map(({ name, dtype, shape }): OnnxInitializer => {
    const sizes = (shape ?? []).filter((size) => typeof size === 'number');
    return { name, dtype, shape: sizes, data: values[name]! };
  });
  return {
    ...graph,
    inputs: graph.inputs.filter((input) => !isConstant(input)),
    initializers: [...graph.initializers, ...constants],
  };
}
