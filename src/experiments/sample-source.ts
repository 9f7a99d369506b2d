/** Models that make samples, whatever they are: trained runs, and exact fields of data. */
import { closedFormFlow } from '../sampling/closed-form-flow.ts';
import {
  type LatentSamples,
  type Sampler,
  type SampleRequest as SamplerRequest,
  samplerOf,
} from '../sampling/sampler.ts';
import { buildSolver } from './build.ts';
import type { RunConfig } from './config.ts';
import { openExactField } from './exact-field.ts';
import { type ExactField, exactModelSource, readExactModel } from './exact-model.ts';
import { type FieldData, openFieldData, runFieldData } from './field-data.ts';
import { parameterGroup } from './run-parameters.ts';
import { labelsInTurn, openRunModel, openTrainedRun, withSampler } from './trained-run.ts';

/** Which model, and how it makes samples. */
export interface SampleSourceRequest {
  /** Folder of a run, or of one of its checkpoints; or `closed-form:` and the name or path of data, for their exact field. */
  readonly model: string;
  /** What replaces settings of the sampling; absent: as the model's settings say. */
  readonly sampling?: Partial<RunConfig['sampling']>;
  /** What executes the graphs; absent: as the model's settings say. */
  readonly runtime?: Partial<RunConfig['runtime']>;
  /** Whether to use the averaged parameters; means nothing to an exact field. */
  readonly ema: boolean;
  /** Most samples that will be asked for at once, if known: a network need not be ready for more together. */
  readonly count?: number;
  /** What replaces settings of an exact field. */
  readonly exact?: ExactField;
}

/** An open model that makes samples. */
export interface SampleSource {
  /** The data that samples are like: those that the model was trained on or is made of, and those held out from them. */
  readonly data: FieldData;
  readonly sampler: Sampler;
  /** How samples are made. */
  readonly sampling: RunConfig['sampling'];
  /** The label of each of `count` samples where none are chosen; null for none. */
  usualLabels(count: number): Int32Array | null;
}

/**
 * Opens a model that makes samples for as long as `use` takes.
 * @throws ConfigError, DataError, CheckpointError or RuntimeError if the model or its data cannot be had.
 */
export function withSampleSource<T>(
  request: SampleSourceRequest,
  use: (source: SampleSource) => Promise<T>,
): Promise<T> {
  const exact = exactModelSource(request.model);
  return exact === null ? withTrainedSource(request, use) : withExactSource(exact, request, use);
}

async function withTrainedSource<T>(request: SampleSourceRequest, use: (source: SampleSource) => Promise<T>) {
  const run = await openTrainedRun(request.model);
  const { config } = run;
  const sampling = { ...config.sampling, ...request.sampling };
  const { data, model } = await openRunModel(config);
  const options = {
    model,
    group: parameterGroup(config, request.ema),
    batch: Math.min(sampling.batchSize, request.count ?? sampling.batchSize),
    runtime: { ...config.runtime, ...request.runtime },
  };
  const usualLabels = (count: number) => labelsInTurn(count, model.classes);
  try {
    return await withSampler(run, options, (sampler) =>
      use({ data: runFieldData(data), sampler, sampling, usualLabels }),
    );
  } finally {
    data.release();
  }
}

/** A sample of an exact field is told no label unless one is chosen: it follows the field of all data. */
async function withExactSource<T>(
  source: string,
  request: SampleSourceRequest,
  use: (source: SampleSource) => Promise<T>,
): Promise<T> {
  const settings = { ...readExactModel(source), ...request.exact };
  const sampling = { ...settings.sampling, ...request.sampling };
  const data = await openFieldData(settings.data.source, settings.data);
  const field = await openExactField(data.rows, { runtime: { ...settings.runtime, ...request.runtime } });
  const { labels, classes } = data;
  const flow = closedFormFlow(field, {
    labels: classes === null ? null : labels,
    classes: classes?.length ?? null,
    batch: sampling.batchSize,
    lastStep: settings.lastStep,
  });
  try {
    return await use({ data, sampler: samplerOf(flow), sampling, usualLabels: () => null });
  } finally {
    flow.release();
  }
}

/** Which samples. */
export interface GeneratedRequest {
  /** Noise seed of each sample: sample s is a function of seed s and label s. */
  readonly seeds: Uint32Array;
  /** Class of each sample; null: the usual ones of the model. */
  readonly labels: Int32Array | null;
  /** Whether the states at the grid's times are wanted; default false. */
  readonly trajectory?: boolean;
  readonly signal?: AbortSignal;
}

/** A request as the model's sampler takes it, with the model's solver and guidance. */
export function samplerRequest(
  { sampling, usualLabels }: SampleSource,
  { labels, ...request }: GeneratedRequest,
): SamplerRequest {
  return {
    ...request,
    ...buildSolver(sampling.solver),
    labels: labels ?? usualLabels(request.seeds.length),
    guidance: sampling.guidance ?? 1,
  };
}

/** Some samples, rows aligned. */
export interface GeneratedBatch extends LatentSamples {
  /** The latents as pixels, uint8 [count, channels, height, width]; null for vectors. */
  readonly pixels: Uint8Array | null;
}

/**
 * Samples of a model in batches, in the order of the seeds.
 * @throws ConfigError if labels or guidance do not fit the model; the signal's reason if it aborts.
 */
export async function* generatedSamples(
  source: SampleSource,
  request: GeneratedRequest,
): AsyncGenerator<GeneratedBatch> {
  const { latent } = source.data;
  for await (const samples of source.sampler.sample(samplerRequest(source, request))) {
    yield { ...samples, pixels: latent === null ? null : await latent.decode(samples.latents) };
  }
}
