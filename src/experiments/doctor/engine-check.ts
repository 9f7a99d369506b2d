/** A numeric self-test of the engine on this machine: ONNX Runtime against the float64 references. */
import type { HostArray } from '../../engine/dtype.ts';
import { gradient } from '../../engine/gradient.ts';
import type { Graph } from '../../engine/graph.ts';
import { interpret } from '../../engine/interpreter.ts';
import { openNativeRuntime } from '../../engine/native/native-runtime.ts';
import { emitModel } from '../../engine/onnx/emit.ts';
import { add, layerNorm, matmul, multiply, reduceMean, silu, softmax, transpose } from '../../engine/ops.ts';
import type { Runtime, RuntimeOptions } from '../../engine/runtime.ts';
import { elementCount } from '../../engine/shape.ts';
import { tensorType, trace } from '../../engine/trace.ts';
import { stream } from '../../numerics/stream.ts';

/** Largest error allowed: float32 with a few hundred additions, in any order. */
const tolerance = 1e-4;

/** Outcome of the self-test. */
export interface EngineCheck {
  readonly passed: boolean;
  /** Largest difference, relative to the largest element of the tensor. */
  readonly worst: number;
  readonly tolerance: number;
  /** Milliseconds from the graph to the result, loading included. */
  readonly durationMs: number;
}

/** One attention with its norm and projection, and the gradient of a loss with respect to input and weight. */
function checkGraph(): Graph {
  const types = { x: tensorType([4, 24, 32]), weight: tensorType([32, 32]) };
  return trace(({ x, weight }) => {
    const normed = layerNorm(x);
    const scores = multiply(matmul(normed, transpose(normed, [0, 2, 1])), 32 ** -0.5); // [4, 24, 24]
    const mixed = matmul(softmax(scores), silu(matmul(normed, weight))); // [4, 24, 32]
    const output = add(x, mixed);
    const loss = reduceMean(multiply(output, output));
    const [byInput, byWeight] = gradient(loss, [x, weight]);
    return { loss, output, byInput: byInput!, byWeight: byWeight! };
  }, types);
}

async function execute(runtime: Runtime, graph: Graph, inputs: Readonly<Record<string, Float32Array>>) {
  const session = await runtime.createSession(emitModel(graph, { provider: runtime.provider }));
  const bound = Object.fromEntries(session.inputs.map((spec) => [spec.name, runtime.allocate(spec)]));
  const results = Object.fromEntries(session.outputs.map((spec) => [spec.name, runtime.allocate(spec)]));
  for (const [name, tensor] of Object.entries(bound)) tensor.write(inputs[name]!);
  await session.run(session.bind(bound, results));
  return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, tensor.read()]));
}

function relativeError(got: HostArray, expected: Float64Array): number {
  let [error, size] = [0, 0];
  for (const [i, value] of expected.entries()) {
    const difference = Math.abs(Number(got[i]) - value);
    error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(error, difference);
    size = Math.max(size, Math.abs(value));
  }
  return error / size;
}

/**
 * Runs a small graph with its gradient and compares every output with the references.
 * @param seed  of the inputs.
 * @throws RuntimeError if the provider does not start or the graph does not run.
 */
export async function checkEngine(options: RuntimeOptions = {}, seed = 0): Promise<EngineCheck> {
  const started = performance.now();
  const graph = checkGraph();
  const inputs = Object.fromEntries(
    graph.inputs.map(({ name, value }) => {
      const random = stream(seed, `doctor-${name}`);
      return [name, Float32Array.from({ length: elementCount(graph.values[value]!.shape) }, () => random.normal())];
    }),
  );
  const runtime = await openNativeRuntime(options);
  try {
    const got = await execute(runtime, graph, inputs);
    const durationMs = performance.now() - started;
    const expected = interpret(graph, inputs);
    const worst = Math.max(...Object.entries(expected).map(([name, values]) => relativeError(got[name]!, values)));
    return { passed: worst <= tolerance, worst, tolerance, durationMs };
  } finally {
    runtime.release();
  }
}
