/** The graphs of an export, in ONNX's terms: for a batch of a size, or of every size. */
import type { HostArray } from '../engine/dtype.ts';
import { fuseAttention } from '../engine/fuse-attention.ts';
import type { Graph } from '../engine/graph.ts';
import { withConstantInputs } from '../engine/onnx/constant-inputs.ts';
import { emitGraph } from '../engine/onnx/emit.ts';
import type { OnnxGraph, OnnxValueInfo } from '../engine/onnx/model-proto.ts';
import { withOpenBatch } from '../engine/onnx/open-batch.ts';
import { repeatedGraph } from '../engine/onnx/repeat-graph.ts';
import type { Provider } from '../engine/runtime.ts';
import { ConfigError } from '../errors.ts';
import { type NetworkShape, velocityGraph } from '../sampling/network-flow.ts';
import { type SamplerGraphOptions, samplerGraph, samplerParts } from '../sampling/sampler-graph.ts';

export interface ExportTarget {
  readonly provider: Provider;
  /** Samples of a call; null: any number. */
  readonly batch: number | null;
  /** Whether attention is one operator. */
  readonly fusedAttention: boolean;
  /** Values of the network's parameters by their paths, which become constants. */
  readonly parameters: Readonly<Record<string, HostArray>>;
}

type Sized<O extends NetworkShape> = Omit<O, 'batch'>;
type ExportedGraph = OnnxGraph<OnnxValueInfo>;

/** Sizes that no shape of a network has by itself. */
const PROBES = [1_000_003, 1_000_033] as const;

/** @throws ConfigError if the batch is to be open and the traced function does not allow it. */
function exported(
  graphOf: (batch: number) => Graph,
  { provider, batch, fusedAttention }: Omit<ExportTarget, 'parameters'>,
  name: string,
): ExportedGraph {
  const traced = (size: number) => (fusedAttention ? fuseAttention(graphOf(size)) : graphOf(size));
  const emitted = (size: number) => ({ graph: emitGraph(traced(size), { name, provider }).graph, batch: size });
  const graph = batch === null ? withOpenBatch(emitted(PROBES[0]), emitted(PROBES[1])) : emitted(batch).graph;
  if (graph !== null) return graph;
  throw new ConfigError({
    expected: 'a network that takes any number of samples',
    got: 'one whose graph depends on it',
    where: 'experiments/export-graphs',
    remedy: '--batch 1',
  });
}

/** The network. @throws ConfigError if the batch cannot be open. */
export function exportedVelocity(network: Sized<NetworkShape>, target: ExportTarget): ExportedGraph {
  const graphOf = (batch: number) => velocityGraph({ ...network, batch }, { guided: false, prefix: '' });
  return withConstantInputs(exported(graphOf, target, 'velocity'), target.parameters);
}

/**
 * The sampler.
 * @param isUnrolled  whether every step is written out, for runtimes without ONNX's Loop; otherwise one step is repeated.
 * @throws ConfigError if the batch cannot be open.
 */
export function exportedSampler(
  sampler: Sized<SamplerGraphOptions>,
  target: ExportTarget,
  isUnrolled: boolean,
): ExportedGraph {
  const name = 'sampler';
  if (isUnrolled) {
    const graphOf = (batch: number) => samplerGraph({ ...sampler, batch });
    return withConstantInputs(exported(graphOf, target, name), target.parameters);
  }
  const part = (which: 'begin' | 'step' | 'end') =>
    exported((batch) => samplerParts({ ...sampler, batch })[which], target, which);
  // Inside of the repeated graph: ONNX Runtime's layouts of convolutions want their weights in the same graph.
  const step = withConstantInputs(part('step'), target.parameters);
  return repeatedGraph({ name, begin: part('begin'), step, end: part('end'), count: sampler.grid.length - 1 });
}
