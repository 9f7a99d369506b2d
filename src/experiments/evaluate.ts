/** Judges samples of a model, or images from anywhere, by metrics. */
import { type DatasetOptions, openDataset } from '../data/open-dataset.ts';
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import { ConfigError } from '../errors.ts';
import { describeNetwork } from '../metrics/feature-set.ts';
import type { Metric } from '../metrics/metric.ts';
import type { RunConfig } from './config.ts';
import type {
  Against,
  EvaluateModelRequest,
  EvaluateOutcome,
  EvaluateRequest,
  EvaluateSetRequest,
  EvaluationRecord,
  Judged,
} from './evaluate-request.ts';
import { isImageShape, openFeatures } from './evaluation-features.ts';
import { keepEvaluation } from './evaluation-file.ts';
import { planMetrics } from './evaluation-metrics.ts';
import { openReference, referenceSets } from './evaluation-reference.ts';
import { exactModelSource } from './exact-model.ts';
import type { FeatureMap } from './feature-map.ts';
import { generatedSet, isTold } from './generated-set.ts';
import { judgeSamples, type MetricTools, openMetricTools } from './judge-samples.ts';
import { parameterGroup } from './run-parameters.ts';
import {
  fieldPopulation,
  heldOutPopulation,
  type Population,
  type SampleSet,
  storedPopulation,
  takeSamples,
} from './sample-set.ts';
import { type SampleSource, withSampleSource } from './sample-source.ts';
import { datasetOptions, openStoredData, storedDataName } from './stored-data.ts';
import { openTrainedRun } from './trained-run.ts';

const where = 'experiments/evaluate';

/** Samples to be judged, and data to judge them by. */
interface Candidate {
  readonly set: SampleSet;
  readonly judged: Judged;
  /** Whether each sample was made for a label of the training data. */
  readonly labelled: boolean;
  readonly against: Population;
  readonly training: Population;
  /** Where the training images come from; `null` for vectors. */
  readonly images: DatasetOptions | null;
}

function nothingHeldOut(source: string): ConfigError {
  return new ConfigError({
    expected: 'data of which some are held out',
    got: `\`${source}\`, which holds nothing out`,
    where,
    remedy: '--against train',
  });
}

/** The training data of a run, or what is held out from them. @throws ConfigError if nothing is. */
export async function runPopulation(config: RunConfig, against: Against): Promise<Population> {
  const split = against === 'train' ? 'train' : 'test';
  const data = await openStoredData(config, split);
  if (data === null) throw nothingHeldOut(storedDataName(config, split));
  return storedPopulation(data, storedDataName(config, split));
}

/** Where the images of a run come from; `null` for vectors. */
export function runImages({ data }: RunConfig): DatasetOptions | null {
  return data.kind === 'images' ? datasetOptions(data) : null;
}

/** What a model was trained on or is made of, and what its samples are compared with. */
async function populationsOf(request: EvaluateModelRequest, { data }: SampleSource) {
  const { model, against, referenceCount } = request;
  const source = exactModelSource(model);
  if (source === null) {
    const { config } = await openTrainedRun(model);
    const training = await runPopulation(config, 'train');
    const reference = against === 'train' ? training : await runPopulation(config, against);
    return { training, against: reference, images: runImages(config) };
  }
  const training = fieldPopulation(data);
  const limit = referenceCount ?? data.rows.count;
  const reference = against === 'train' ? training : await heldOutPopulation(data, limit);
  if (reference === null) throw nothingHeldOut(source);
  const { size } = request.exact?.data ?? { size: null };
  const images = { source, heldOut: null, ...(size === null ? {} : { size }) };
  return { training, against: reference, images: isImageShape(training.shape) ? images : null };
}

async function judgedOf({ model, exact, ema, seeds, sampling }: EvaluateModelRequest): Promise<Judged> {
  const { solver, guidance, batchSize } = sampling;
  const made = { seeds, sampling: { solver, guidance, batchSize } };
  if (exact !== undefined) return { kind: 'exact', model, ...exact, ...made };
  const { config, checkpoint } = await openTrainedRun(model);
  const { imagesSeen } = checkpoint.facts;
  return { kind: 'run', imagesSeen, parameters: parameterGroup(config, ema), ...made };
}

async function modelCandidate(request: EvaluateModelRequest, source: SampleSource): Promise<Candidate> {
  const populations = await populationsOf(request, source);
  return {
    ...populations,
    set: generatedSet(source, request.seeds, populations.training),
    judged: await judgedOf(request),
    labelled: isTold(source),
  };
}

async function setCandidate({ source, against, split, size }: EvaluateSetRequest): Promise<Candidate> {
  const options = (path: string) => ({ source: path, heldOut: null, ...(size === null ? {} : { size }) });
  const images = await openDataset(options(source));
  const reference = await openDataset({ ...options(against), split });
  const population = storedPopulation(reference, `${against} ${split}`);
  return {
    set: takeSamples(storedPopulation(images, source)),
    judged: { kind: 'set', source, count: images.count },
    labelled: images.classes !== null && JSON.stringify(images.classes) === JSON.stringify(reference.classes),
    against: population,
    training: population,
    images: options(against),
  };
}

/** What metrics are computed by. */
interface Judge {
  readonly map: FeatureMap;
  readonly tools: MetricTools;
}

/** @throws ConfigError if a metric was asked for that cannot be measured, before anything is generated. */
async function judge(candidate: Candidate, request: EvaluateRequest, by: Judge): Promise<readonly Metric[]> {
  const { metrics, referenceCount, signal, onEvent } = request;
  const { set, labelled, against, training } = candidate;
  const { map, tools } = by;
  const sets = referenceSets(against, training, referenceCount);
  const plan = planMetrics(metrics, {
    generated: set.count,
    reference: sets.reference.count,
    training: sets.training.count,
    images: isImageShape(set.shape),
    classifier: map.classifies,
    labels: labelled && map.knowsLabels,
  });
  for (const text of plan.notes) onEvent({ kind: 'note', text });
  const { products } = tools;
  const reference = await openReference(sets, map, { withTraining: plan.training, products, signal, onEvent });
  return judgeSamples(set, { map, reference, plan, tools, signal, onEvent });
}

async function recordOf(candidate: Candidate, request: EvaluateRequest): Promise<EvaluationRecord> {
  const { features, signal, onEvent } = request;
  const { training: data, images } = candidate;
  const runtime = await openNativeRuntime(request.runtime);
  const tools = await openMetricTools(request.runtime, signal);
  try {
    const map = await openFeatures({ name: features, data, images, runtime, signal, onEvent });
    return {
      generated: candidate.judged,
      features: describeNetwork({ ...map, data: data.name }),
      reference: candidate.against.name,
      metrics: await judge(candidate, request, { map, tools }),
    };
  } finally {
    // What features hold is the runtime's.
    tools.release();
    runtime.release();
  }
}

/** The request with the checkpoint that is the newest now in place of its run: a training may write others meanwhile. */
async function atCheckpoint(request: EvaluateModelRequest): Promise<EvaluateModelRequest> {
  if (exactModelSource(request.model) !== null) return request;
  const { checkpoint } = await openTrainedRun(request.model);
  return { ...request, model: checkpoint.path };
}

async function judgeModel(asked: EvaluateModelRequest): Promise<EvaluationRecord> {
  const request = await atCheckpoint(asked);
  return withSampleSource(request, async (source) => recordOf(await modelCandidate(request, source), request));
}

/**
 * Measures what a request asks for and keeps a record of it.
 * @throws ConfigError or DataError for what a user can correct; CheckpointError if a run has no whole checkpoint; the signal's reason
 *   once it is aborted, and then nothing is written.
 */
export async function evaluate(request: EvaluateRequest): Promise<EvaluateOutcome> {
  const started = performance.now();
  const { outPath } = request;
  const record = await (request.kind === 'set' ? recordOf(await setCandidate(request), request) : judgeModel(request));
  if (outPath !== null) keepEvaluation(outPath, record);
  const seconds = (performance.now() - started) / 1000;
  return { record, seconds, paths: outPath === null ? [] : [outPath] };
}
