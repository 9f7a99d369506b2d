/** Runs graphs for tests: in ONNX Runtime or by the references. */
import type { HostArray } from '../../src/engine/dtype.ts';
import type { Graph } from '../../src/engine/graph.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { emitModel } from '../../src/engine/onnx/emit.ts';
import type { OnnxModel, Runtime, SessionOptions } from '../../src/engine/runtime.ts';
import { elementCount } from '../../src/engine/shape.ts';
import { elementsOf } from '../../src/engine/tensor.ts';
import { uniforms } from './examples.ts';

export type HostArrays = Readonly<Record<string, HostArray>>;

export interface ModelRun {
  readonly outputs: Record<string, HostArray>;
  /** Path of the profile, if one was asked for. */
  readonly profile: string | null;
}

/** One run of a model in a session of its own. */
export async function runModel(
  runtime: Runtime,
  model: OnnxModel,
  { inputs, session: options = {} }: { readonly inputs: HostArrays; readonly session?: SessionOptions },
): Promise<ModelRun> {
  const session = await runtime.createSession(model, options);
  const bound = session.inputs.map((spec) => runtime.allocate(spec));
  for (const tensor of bound) tensor.write(inputs[tensor.spec.name]);
  const results = session.outputs.map((spec) => runtime.allocate(spec));
  const byName = (list: typeof bound) => Object.fromEntries(list.map((tensor) => [tensor.spec.name, tensor]));
  const binding = session.bind(byName(bound), byName(results));
  await session.run(binding);
  const outputs = Object.fromEntries(results.map((tensor) => [tensor.spec.name, tensor.read()]));
  const profile = session.endProfiling();
  for (const resource of [binding, session, ...bound, ...results]) resource.release();
  return { outputs, profile };
}

/** A graph's outputs by name, computed by ONNX Runtime. */
export async function executeGraph(
  runtime: Runtime,
  graph: Graph,
  inputs: HostArrays,
): Promise<Record<string, HostArray>> {
  return (await runModel(runtime, emitModel(graph), { inputs })).outputs;
}

/** Inputs of a graph, uniform in [low, high] and rounded to float32; of other dtypes, zeros. */
export function drawGraphInputs(
  graph: Graph,
  { seed = 1, low = -1, high = 1 }: { readonly seed?: number; readonly low?: number; readonly high?: number } = {},
): Record<string, HostArray> {
  const next = uniforms(seed);
  return Object.fromEntries(
    graph.inputs.map(({ name, value }) => {
      const { dtype, shape } = graph.values[value];
      const draw = () => (dtype.startsWith('float') ? Math.fround(low + (high - low) * next()) : 0);
      return [name, elementsOf(dtype, Array.from({ length: elementCount(shape) }, draw))];
    }),
  );
}

/** Largest absolute difference, relative to the larger of 1 and the largest wanted value. */
export function relativeError(actual: ArrayLike<number | bigint>, wanted: ArrayLike<number>): number {
  if (actual.length !== wanted.length) return Infinity;
  let scale = 1;
  let worst = 0;
  for (let i = 0; i < wanted.length; i++) {
    const difference = Math.abs(Number(actual[i]) - wanted[i]);
    // A NaN on one side must not pass for a small error.
    if (Number.isNaN(difference)) return Infinity;
    scale = Math.max(scale, Math.abs(wanted[i]));
    worst = Math.max(worst, difference);
  }
  return worst / scale;
}

/** The graph's first output as a scalar function along a line through the inputs: value at inputs + t direction. */
function alongLine(graph: Graph, inputs: HostArrays, directions: HostArrays): (t: number) => Float64Array {
  const { name } = graph.outputs[0];
  return (t) => {
    const moved = Object.entries(inputs).map(([key, array]) => {
      const along = directions[key];
      const values = Array.from(array as ArrayLike<number>, Number);
      return [key, along === undefined ? values : values.map((x, i) => x + t * Number(along[i]))];
    });
    return interpret(graph, Object.fromEntries(moved))[name];
  };
}

/** Derivative of the graph's first output along directions of its inputs, by central differences of the float64 references. */
export function centralDifference(
  graph: Graph,
  {
    inputs,
    directions,
    step = 1e-5,
  }: { readonly inputs: HostArrays; readonly directions: HostArrays; readonly step?: number },
): Float64Array {
  const at = alongLine(graph, inputs, directions);
  const ahead = at(step);
  const behind = at(-step);
  return ahead.map((value, i) => (value - behind[i]) / (2 * step));
}
