/** Samples of a flow: noise from seeds, a solver, latents. */
import type { Runtime } from '../engine/runtime.ts';
import { ConfigError } from '../errors.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import type { FlowModel } from './flow-model.ts';
import { withLastStep } from './last-step.ts';
import { type NetworkFlowOptions, networkFlow } from './network-flow.ts';
import type { InitialValueProblem, Solver } from './solvers/solver.ts';

/** Where samples start, and the field that they follow. */
export interface FlowRequest {
  /** Seed of each sample: sample s is a function of seed s, label s and the settings below. */
  readonly seeds: Uint32Array;
  /** Class of each sample; `null` for none (the null class). */
  readonly labels: Int32Array | null;
  /** Guidance weight w: velocity = v(null) + w (v(label) - v(null)); 1 is none. */
  readonly guidance: number;
  /** Aborting makes the field's evaluations end with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface SampleRequest extends FlowRequest {
  readonly solver: Solver;
  /** Times, increasing from 0 to 1. */
  readonly grid: Float64Array;
  /** Whether states at the grid's times are wanted. */
  readonly trajectory?: boolean;
}

/** A batch of samples to be: noise at time 0 and the trained field. Rows from `seeds.length` on only fill the batch up. */
export interface FlowProblem extends InitialValueProblem<Float32Array> {
  readonly seeds: Uint32Array;
  readonly labels: Int32Array | null;
}

/** Some samples, rows aligned. */
export interface LatentSamples {
  readonly seeds: Uint32Array;
  readonly labels: Int32Array | null;
  /** float32 [count, ...dims]. */
  readonly latents: Float32Array;
  /** Evaluations of the velocity field that each sample needed (NFE); with guidance each of them runs the network on two rows. */
  readonly evaluations: Int32Array;
  /** Whether the solver reached the end for all. */
  readonly converged: boolean;
  /** float32 [count, ...dims] at each time of the grid, where asked for. */
  readonly trajectory: readonly Float32Array[] | null;
}

export interface Sampler {
  /** Batches of samples in the order of the seeds. @throws ConfigError if labels or guidance do not fit the model. */
  sample(request: SampleRequest): AsyncIterable<LatentSamples>;
  /** The problems whose solutions are those samples, for who wants more of the field than its samples. @throws as `sample`. */
  problems(request: FlowRequest): Iterable<FlowProblem>;
  release(): void;
}

/** The sampler of a flow, which it owns from here on. */
export function samplerOf(model: FlowModel): Sampler {
  return {
    sample: (request) => solveAll(problemsOf(model, checkedRequest(request, model)), request, model),
    problems: (request) => problemsOf(model, checkedRequest(request, model)),
    release: () => model.release(),
  };
}

/** The sampler of a trained network. @throws RuntimeError if the network cannot be compiled. */
export async function createSampler(runtime: Runtime, options: NetworkFlowOptions): Promise<Sampler> {
  return samplerOf(await networkFlow(runtime, options));
}

function checkedRequest(request: FlowRequest, { classes, name }: FlowModel): FlowRequest {
  const fault = (expected: string, got: string) => new ConfigError({ expected, got, where: `sampling of ${name}` });
  const { labels, guidance, seeds } = request;
  if (labels !== null && classes === null)
    throw fault('no labels, as the model has no classes', `${labels.length} labels`);
  if (labels !== null && labels.length !== seeds.length)
    throw fault(`a label for each of the ${seeds.length} seeds`, `${labels.length}`);
  const wrong = labels?.find((label) => label < 0 || label > (classes ?? 0));
  if (wrong !== undefined) throw fault(`labels in [0, ${classes}], where ${classes} is the null class`, `${wrong}`);
  if (!Number.isFinite(guidance)) throw fault('`guidance` to be a number', `${guidance}`);
  if (guidance !== 1 && labels === null) throw fault('labels, as `guidance` is not 1', 'none');
  return request;
}

/** [count] filled up to [batch] with the first element. */
function filledUp<A extends Uint32Array | Int32Array>(values: A, batch: number): A {
  const rows = (values instanceof Int32Array ? new Int32Array(batch) : new Uint32Array(batch)) as A;
  rows.fill(values[0]);
  rows.set(values);
  return rows;
}

function* problemsOf(model: FlowModel, request: FlowRequest): Generator<FlowProblem> {
  const { batch, elements } = model;
  for (let start = 0; start < request.seeds.length; start += batch) {
    const seeds = request.seeds.slice(start, start + batch);
    const labels = request.labels?.slice(start, start + batch) ?? null;
    const field = model.velocity({ ...request, labels: labels === null ? null : filledUp(labels, batch) });
    yield { seeds, labels, field, x0: normalsFromSeeds(filledUp(seeds, batch), elements), batch };
  }
}

async function* solveAll(
  problems: Iterable<FlowProblem>,
  { solver: chosen, grid, trajectory = false }: SampleRequest,
  { lastStep }: FlowModel,
): AsyncGenerator<LatentSamples> {
  const solver = lastStep === null ? chosen : withLastStep(chosen, lastStep);
  for (const problem of problems) {
    const { seeds, labels, x0, batch } = problem;
    const solution = await solver.solve(problem, grid, { trajectory });
    const kept = (values: Float32Array) => values.slice(0, (seeds.length * x0.length) / batch);
    yield {
      seeds,
      labels,
      latents: kept(solution.x),
      evaluations: solution.evaluations.slice(0, seeds.length),
      converged: solution.converged,
      trajectory: solution.trajectory?.map(kept) ?? null,
    };
  }
}
