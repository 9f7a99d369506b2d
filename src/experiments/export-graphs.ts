/** The graphs of an export, in ONNX's terms: for a batch of a size, or of every size. */
import type { HostArray } from '../engine/dtype.ts';
import type { Graph } from '../engine/graph.ts';
import { withConstantInputs } from '../engine/onnx/constant-inputs.ts';
import { emitGraph } from '../engine/onnx/emit.ts';
import type { OnnxGraph, OnnxValueInfo } from '../engine/onnx/model-proto.ts';
import { withOpenBatch } from '../engine/onnx/open-batch.ts';
import type { Provider } from '../engine/runtime.ts';
import { ConfigError } from '../errors.ts';

export interface ExportGraphOptions {
  readonly name: string;
  readonly provider: Provider;
  /** Samples of a call; null: any number. */
  readonly batch: number | null;
  /** Values of the inputs that become constants. */
  readonly parameters: Readonly<Record<string, HostArray>>;
}

/** Sizes that no shape of a network has by itself. */
const PROBES = [1_000_003, 1_000_033] as const;

/**
 * A traced function with its parameters inside.
 * @param graphOf  traces the function for a batch.
 * @throws ConfigError if the batch is to be open and the function does not allow it.
 */
export function exportedGraph(
  graphOf: (batch: number) => Graph,
  { name, provider, batch, parameters }: ExportGraphOptions,
): OnnxGraph<OnnxValueInfo> {
  const emitted = (size: number) => withConstantInputs(emitGraph(graphOf(size), { name, provider }).graph, parameters);
  if (batch !== null) return emitted(batch);
  const [first, second] = PROBES.map((size) => ({ graph: emitted(size), batch: size }));
  const open = withOpenBatch(first!, second!);
  if (open !== null) return open;
  throw new ConfigError({
    expected: 'a network that takes any number of samples',
    got: 'one whose graph depends on it',
    where: 'experiments/export-graphs',
    remedy: '--batch 1',
  });
}
