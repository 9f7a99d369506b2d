/** Samples from a trained network: noise from seeds, a solver, pixels. */
import { closeGraph, type Graph } from '../engine/graph.ts';
import { emitModel } from '../engine/onnx/emit.ts';
import { add, broadcastTo, concat, constant, multiply, reshape, split, subtract } from '../engine/ops.ts';
import type { Runtime } from '../engine/runtime.ts';
import { createStepper, type Stepper } from '../engine/stepper.ts';
import { placeholder, type Tensor, type TensorType } from '../engine/tensor.ts';
import { isTensor, isTensorType, type TypeTree, tensorType } from '../engine/trace.ts';
import { flattenTree, mapTree } from '../engine/tree.ts';
import { ConfigError } from '../errors.ts';
import type { Model } from '../models/model.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import type { InitialValueProblem, Solver, VelocityField } from './solvers/solver.ts';

export interface SamplerOptions {
  readonly model: Model;
  /** Types of the model's parameters, in the form of its tree. */
  readonly parameterTypes: TypeTree;
  /** Values by path. */
  readonly parameters: Readonly<Record<string, Float32Array>>;
  /** Samples that go through the network together. Fixed: smaller requests are filled up, so that rounding never depends on the request. */
  readonly batch: number;
}

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

const PREFIX = 'parameters';

/** The network on a batch; guided, on the batch with its labels and again with the null class, in one call. Source: [ho:22], eq. (6). */
function velocityGraph({ model, parameterTypes, batch }: SamplerOptions, guided: boolean): Graph {
  const parameters = mapTree<TensorType, Tensor>(parameterTypes, isTensorType, (_path, type) => placeholder(type));
  const x = placeholder(tensorType([batch, ...model.input.shape]));
  const time = placeholder(tensorType([batch]));
  const labels = model.classes === null ? null : placeholder(tensorType([batch], 'int32'));
  const weight = placeholder(tensorType([]));
  const ports: [string, Tensor][] = [
    ...flattenTree<Tensor>(parameters, isTensor).map(([path, tensor]): [string, Tensor] => [
      `${PREFIX}.${path}`,
      tensor,
    ]),
    ['x', x],
    ['time', time],
  ];
  if (labels !== null) ports.push(['labels', labels]);
  if (!guided || labels === null || model.classes === null) {
    return closeGraph(ports, [['velocity', model.apply(parameters, { x, time, labels })]]);
  }
  const none = broadcastTo(reshape(constant(model.classes, 'int32'), [1]), [batch]);
  const twice = { x: concat([x, x], 0), time: concat([time, time], 0), labels: concat([labels, none], 0) };
  const [conditional, unconditional] = split(model.apply(parameters, twice), 2, 0);
  const velocity = add(unconditional, multiply(subtract(conditional, unconditional), weight));
  return closeGraph([...ports, ['guidance', weight]], [['velocity', velocity]]);
}

/** @throws RuntimeError if the network cannot be compiled. */
export async function createSampler(runtime: Runtime, options: SamplerOptions): Promise<Sampler> {
  const specs = flattenTree<TensorType>(options.parameterTypes, isTensorType).map(([path, type]) => ({
    name: `${PREFIX}.${path}`,
    ...type,
  }));
  const guidable = options.model.classes !== null;
  const { provider, channelBlock } = runtime;
  const program = (guided: boolean) => ({
    model: emitModel(velocityGraph(options, guided), { provider, channelBlock }),
  });
  const stepper = await createStepper(runtime, {
    state: { parameters: specs },
    programs: {
      plain: program(false),
      ...(guidable ? { guided: program(true) } : {}),
    },
  });
  const values = Object.entries(options.parameters).map(([path, array]) => [`${PREFIX}.${path}`, array]);
  await stepper.writeState(Object.fromEntries(values));
  return {
    sample: (request) => solveAll(problemsOf(stepper, options, checkedRequest(request, options.model)), request),
    problems: (request) => problemsOf(stepper, options, checkedRequest(request, options.model)),
    release: () => stepper.release(),
  };
}

function checkedRequest(request: FlowRequest, { classes, name }: Model): FlowRequest {
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

function elementsOf({ input }: Model): number {
  return input.shape.reduce((a, b) => a * b, 1);
}

function* problemsOf(stepper: Stepper, options: SamplerOptions, request: FlowRequest): Generator<FlowProblem> {
  const { batch, model } = options;
  for (let start = 0; start < request.seeds.length; start += batch) {
    const seeds = request.seeds.slice(start, start + batch);
    const labels = request.labels?.slice(start, start + batch) ?? null;
    const field = velocityField(stepper, options, { ...request, labels });
    yield { seeds, labels, field, x0: normalsFromSeeds(filledUp(seeds, batch), elementsOf(model)), batch };
  }
}

/** The trained velocities of a batch with its labels; each call runs the network once. */
function velocityField(
  stepper: Stepper,
  { model, batch }: SamplerOptions,
  { labels, guidance, signal }: FlowRequest,
): VelocityField<Float32Array> {
  const none = model.classes === null ? null : new Int32Array(batch).fill(model.classes);
  const classes = labels === null ? none : filledUp(labels, batch);
  const guided = guidance !== 1 && model.classes !== null;
  const fixed = {
    ...(classes === null ? {} : { labels: classes }),
    ...(guided ? { guidance: Float32Array.of(guidance) } : {}),
  };
  return async (x, time) => {
    signal?.throwIfAborted();
    const inputs = { x, time: Float32Array.from(time), ...fixed };
    const { velocity } = await stepper.run(guided ? 'guided' : 'plain', {
      inputs,
      ...(signal === undefined ? {} : { signal }),
    });
    return velocity as Float32Array;
  };
}

async function* solveAll(problems: Iterable<FlowProblem>, request: SampleRequest): AsyncGenerator<LatentSamples> {
  const { solver, grid, trajectory = false } = request;
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
