/** Executes a traced graph once in ONNX Runtime. */
import type { HostArray } from '../../src/engine/dtype.ts';
import type { Graph } from '../../src/engine/graph.ts';
import { emitModel } from '../../src/engine/onnx/emit.ts';
import type { Runtime } from '../../src/engine/runtime.ts';

export type HostArrays = Readonly<Record<string, HostArray>>;

/** Values of the graph's outputs, by name. */
export async function runGraph(runtime: Runtime, graph: Graph, inputs: HostArrays): Promise<Record<string, HostArray>> {
  const session = await runtime.createSession(emitModel(graph));
  const bound = session.inputs.map((spec) => runtime.allocate(spec));
  for (const tensor of bound) tensor.write(inputs[tensor.spec.name]);
  const results = session.outputs.map((spec) => runtime.allocate(spec));
  const byName = (list: typeof bound) => Object.fromEntries(list.map((tensor) => [tensor.spec.name, tensor]));
  const binding = session.bind(byName(bound), byName(results));
  await session.run(binding);
  const values = Object.fromEntries(results.map((tensor) => [tensor.spec.name, tensor.read()]));
  for (const resource of [binding, session, ...bound, ...results]) resource.release();
  return values;
}
