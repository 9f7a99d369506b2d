/** LOOM's assignments as they follow one another, for benchmarks: [davtyan:25], algorithm 1. */
import { emitModel } from '../src/engine/onnx/emit.ts';
import { matmul } from '../src/engine/ops.ts';
import type { Runtime } from '../src/engine/runtime.ts';
import { tensorType, trace } from '../src/engine/trace.ts';
import { type AssignmentStart, type CostMatrix, solveAssignment } from '../src/numerics/assignment.ts';
import { permutation } from '../src/numerics/permutation.ts';
import { stream } from '../src/numerics/stream.ts';

/** Which targets the sources, N(0, I), meet. */
export type Targets = 'normal' | 'structured';

export interface PointSet {
  readonly targets: Targets;
  /** Targets, and sources. */
  readonly points: number;
  readonly dimensions: number;
}

/** Random directions that structured targets lie along, before they are cut to [-1, 1]. */
const directions = 32;

async function product(
  runtime: Runtime,
  operands: { readonly a: Float32Array; readonly b: Float32Array; rows: number; columns: number; inner: number },
) {
  const { a, b, rows, columns, inner } = operands;
  const types = { a: tensorType([rows, inner]), b: tensorType([columns, inner]) };
  const model = emitModel(
    trace((inputs) => ({ y: matmul(inputs.a, inputs.b, { transposeB: true }) }), types),
    {
      provider: runtime.provider,
    },
  );
  const session = await runtime.createSession(model);
  const tensors = Object.fromEntries(
    [...model.inputs, ...model.outputs].map((spec) => [spec.name, runtime.allocate(spec)]),
  );
  tensors.a.write(a);
  tensors.b.write(b);
  const binding = session.bind({ a: tensors.a, b: tensors.b }, { y: tensors.y });
  await session.run(binding);
  const result = Float32Array.from(tensors.y.read() as Float32Array);
  session.release();
  binding.release();
  for (const tensor of Object.values(tensors)) tensor.release();
  return result;
}

function normals(purpose: string, count: number): Float32Array {
  const random = stream(0, purpose);
  return Float32Array.from({ length: count }, () => random.normal());
}

function squaredNorms(x: Float32Array, points: number): Float64Array {
  const dimensions = x.length / points;
  return Float64Array.from({ length: points }, (_, i) => {
    let sum = 0;
    for (let k = i * dimensions; k < (i + 1) * dimensions; k++) sum += x[k] * x[k];
    return sum;
  });
}

/** Squared distances between targets and sources, float32 [points, points]. */
export async function squaredDistances(
  runtime: Runtime,
  { targets, points, dimensions }: PointSet,
): Promise<CostMatrix> {
  const source = normals('bench-source', points * dimensions);
  let target: Float32Array;
  if (targets === 'normal') {
    target = normals('bench-target', points * dimensions);
  } else {
    const [a, b] = [
      normals('bench-latents', points * directions),
      normals('bench-directions', dimensions * directions),
    ];
    target = await product(runtime, { a, b, rows: points, columns: dimensions, inner: directions });
    const scale = 0.7 / Math.sqrt(directions);
    for (let k = 0; k < target.length; k++) target[k] = Math.max(-1, Math.min(1, scale * target[k]));
  }
  const values = await product(runtime, { a: target, b: source, rows: points, columns: points, inner: dimensions });
  const [x, z] = [squaredNorms(target, points), squaredNorms(source, points)];
  for (let i = 0; i < points; i++) {
    for (let j = 0; j < points; j++) values[i * points + j] = x[i] + z[j] - 2 * values[i * points + j];
  }
  return { values, rows: points, columns: points };
}

/** One step of the sequence. */
export interface LoomStep {
  readonly costs: CostMatrix;
  /** The identity, and what the sources keep of their duals. */
  readonly start: AssignmentStart & { readonly columnDuals: Float64Array };
  /** Share of the pairs that the step keeps. */
  readonly kept: number;
}

/**
 * Steps of LOOM: each epoch goes through the targets once in batches of `batch`, and the batch's sources are paired anew. Each source keeps the
 * dual of its last step, less the mean change of the batch's duals, which is arbitrary.
 *
 * @returns the steps of the last epoch.
 */
export function loomSteps(
  distances: CostMatrix,
  { batch, epochs }: { readonly batch: number; readonly epochs: number },
): LoomStep[] {
  const { values, rows: points } = distances;
  const sourceOf = Int32Array.from({ length: points }, (_, i) => i);
  const dualOf = new Float64Array(points);
  const rowToColumn = Int32Array.from({ length: batch }, (_, i) => i);
  let steps: LoomStep[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    steps = [];
    const order = permutation(points, stream(0, 'bench-order', epoch));
    for (let first = 0; first + batch <= points; first += batch) {
      const members = order.subarray(first, first + batch);
      const sources = Int32Array.from(members, (target) => sourceOf[target]);
      const block = new Float32Array(batch * batch);
      for (let i = 0; i < batch; i++) {
        for (let j = 0; j < batch; j++) block[i * batch + j] = values[members[i] * points + sources[j]];
      }
      const costs = { values: block, rows: batch, columns: batch };
      const start = { rowToColumn, columnDuals: Float64Array.from(sources, (source) => dualOf[source]) };
      const solution = solveAssignment(costs, { start });
      let change = 0;
      for (let j = 0; j < batch; j++) change += (solution.columnDuals[j] - start.columnDuals[j]) / batch;
      for (let j = 0; j < batch; j++) dualOf[sources[j]] = solution.columnDuals[j] - change;
      for (let i = 0; i < batch; i++) sourceOf[members[i]] = sources[solution.rowToColumn[i]];
      steps.push({ costs, start, kept: solution.rowToColumn.filter((j, i) => j === i).length / batch });
    }
  }
  return steps;
}
