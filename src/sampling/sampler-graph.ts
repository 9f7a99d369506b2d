/** A whole sampler as one graph: noise from seeds, the solver written out, guidance, and the way back to pixels. */
import { closeGraph, type Graph, type NamedTensor } from '../engine/graph.ts';
import { broadcastTo, constant, reshape } from '../engine/ops.ts';
import { elementCount } from '../engine/shape.ts';
import { placeholder, type Tensor } from '../engine/tensor.ts';
import { tensorType } from '../engine/trace.ts';
import type { Latent } from '../latent/latent.ts';
import { type NetworkShape, networkVelocity, parameterPlaceholders } from './network-flow.ts';
import { noiseFromSeeds } from './noise-graph.ts';
import type { ButcherTableau } from './solvers/solver.ts';
import { type SumType, unrolled } from './solvers/unrolled.ts';

export interface SamplerGraphOptions extends NetworkShape {
  readonly tableau: ButcherTableau;
  /** Times, increasing from 0 to 1. */
  readonly grid: Float64Array;
  /** Weight of the label; 1 is none. */
  readonly guidance: number;
  /** Type of the solver's sums. */
  readonly sums: SumType;
  /** The way to pixels; null for vectors. */
  readonly latent: Pick<Latent, 'decodeTensor'> | null;
}

/**
 * The sampler as a graph: parameters by their paths, `seeds` int64 [batch] and, where the model has classes, `labels` int32 [batch] (the
 * label `classes` is the null class) -> `pixels` uint8 [batch, channels, height, width], or `samples` float32 [batch, ...shape] of vectors.
 * With float64 sums and the same results of the network, the samples have the bits of the host's solvers.
 */
export function samplerGraph(options: SamplerGraphOptions): Graph {
  const { model, parameterTypes, batch, latent, guidance } = options;
  const parameters = parameterPlaceholders(parameterTypes, '');
  const seeds = placeholder(tensorType([batch], 'int64'));
  const labels = model.classes === null ? null : placeholder(tensorType([batch], 'int32'));
  const weight = guidance === 1 ? null : constant(guidance);
  const field = (x: Tensor, time: number) => {
    const times = broadcastTo(reshape(constant(time), [1]), [batch]);
    return networkVelocity(model, parameters.tree, { x, time: times, labels, guidance: weight });
  };
  const noise = noiseFromSeeds(seeds, elementCount(model.input.shape));
  const samples = unrolled({ x0: reshape(noise, [batch, ...model.input.shape]), field }, options);
  const ports: NamedTensor[] = [...parameters.ports, ['seeds', seeds]];
  if (labels !== null) ports.push(['labels', labels]);
  return closeGraph(ports, [latent === null ? ['samples', samples] : ['pixels', latent.decodeTensor(samples)]]);
}
