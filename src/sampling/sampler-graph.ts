/** A whole sampler as graphs: noise from seeds, the solver's steps with guidance, and the way back to pixels. */
import { closeGraph, type Graph, type NamedTensor } from '../engine/graph.ts';
import { broadcastTo, constant, constantTensor, gather, type Operand, reshape, sliceAxis } from '../engine/ops.ts';
import { elementCount } from '../engine/shape.ts';
import { placeholder, type Tensor } from '../engine/tensor.ts';
import { tensorType } from '../engine/trace.ts';
import type { Latent } from '../latent/latent.ts';
import { type NetworkShape, networkVelocity, parameterPlaceholders } from './network-flow.ts';
import { noiseFromSeeds } from './noise-graph.ts';
import { type GraphProblem, type GraphSolver, graphStep, stepsOf, unrolled } from './solvers/unrolled.ts';

export interface SamplerGraphOptions extends NetworkShape, GraphSolver {
  /** Times, increasing from 0 to 1. */
  readonly grid: Float64Array;
  /** Weight of the label; 1 is none. */
  readonly guidance: number;
  /** The way to pixels; null for vectors. */
  readonly latent: Pick<Latent, 'decodeTensor'> | null;
}

function noiseOf({ model: { input } }: NetworkShape, seeds: Tensor): Tensor {
  return reshape(noiseFromSeeds(seeds, elementCount(input.shape)), [...seeds.shape, ...input.shape]);
}

/** The output of the sampler: pixels, or the samples themselves. */
function decoded({ latent }: SamplerGraphOptions, samples: Tensor): NamedTensor {
  return latent === null ? ['samples', samples] : ['pixels', latent.decodeTensor(samples)];
}

/** The guided field, and what it reads: parameters by their paths, and labels where the model has classes. */
function fieldOf({ model, parameterTypes, batch, guidance }: SamplerGraphOptions) {
  const parameters = parameterPlaceholders(parameterTypes, '');
  const labels = model.classes === null ? null : placeholder(tensorType([batch], 'int32'));
  const weight = guidance === 1 ? null : constant(guidance);
  const field: GraphProblem['field'] = (x, time) => {
    const one = reshape(typeof time === 'number' ? constant(time) : time, [1]);
    const inputs = { x, time: broadcastTo(one, [batch]), labels, guidance: weight };
    return networkVelocity(model, parameters.tree, inputs);
  };
  const ports: NamedTensor[] = labels === null ? parameters.ports : [...parameters.ports, ['labels', labels]];
  return { field, ports };
}

/**
 * The sampler as one graph: parameters by their paths, `seeds` int64 [batch] and, where the model has classes, `labels` int32 [batch] (the
 * label `classes` is the null class) -> `pixels` uint8 [batch, channels, height, width], or `samples` float32 [batch, ...shape] of vectors.
 * With float64 sums and the same results of the network, the samples have the bits of the host's solvers.
 */
export function samplerGraph(options: SamplerGraphOptions): Graph {
  const { field, ports } = fieldOf(options);
  const seeds = placeholder(tensorType([options.batch], 'int64'));
  const samples = unrolled({ x0: noiseOf(options, seeds), field }, options, options.grid);
  return closeGraph([['seeds', seeds], ...ports], [decoded(options, samples)]);
}

/** The sampler in three graphs, the second of which is to be repeated; what one gives is named as the next one's input. */
export interface SamplerParts {
  /** `seeds` -> `noise`. */
  readonly begin: Graph;
  /** Parameters, `labels`, `step` int64 [] and the state `x` -> `next`, the state after that step. */
  readonly step: Graph;
  /** The state `x` -> `pixels` or `samples`. */
  readonly end: Graph;
}

/** What `samplerGraph` computes, with its steps as one graph. */
export function samplerParts(options: SamplerGraphOptions): SamplerParts {
  const { model, batch, tableau, sums, grid } = options;
  const seeds = placeholder(tensorType([batch], 'int64'));
  const state = () => placeholder(tensorType([batch, ...model.input.shape]));
  const [x, last] = [state(), state()];
  const step = placeholder(tensorType([], 'int64'));
  const { field, ports } = fieldOf(options);
  const steps = stepsOf(grid, tableau);
  const lengths = constantTensor(
    steps.map(({ length }) => length),
    [steps.length],
    sums,
  );
  const stages = tableau.nodes.length;
  const times = constantTensor(
    steps.flatMap((one) => one.times),
    [steps.length, stages],
  );
  const here = gather(times, step); // [stages]
  const place = {
    length: gather(lengths, step),
    times: tableau.nodes.map((_, stage): Operand => sliceAxis(here, 0, stage, stage + 1)),
  };
  const next = graphStep({ x0: x, field }, options, place);
  return {
    begin: closeGraph([['seeds', seeds]], [['noise', noiseOf(options, seeds)]]),
    step: closeGraph([['x', x], ['step', step], ...ports], [['next', next]]),
    end: closeGraph([['x', last]], [decoded(options, last)]),
  };
}
