/** Metrics of samples during a training: the config's section `training.evaluation` as the loop takes it. */
import type { Runtime } from '../engine/runtime.ts';
import type { TensorType } from '../engine/tensor.ts';
import { isTensorType } from '../engine/trace.ts';
import { flattenTree } from '../engine/tree.ts';
import type { Model } from '../models/model.ts';
import { parameterTypes } from '../models/parameters.ts';
import { createSampler } from '../sampling/sampler.ts';
import type { EvaluationEvent, EvaluationOptions } from '../training/evaluation.ts';
import type { Trainer } from '../training/trainer.ts';
import { runImages, runPopulation } from './evaluate.ts';
import { isImageShape, openFeatures } from './evaluation-features.ts';
import { planMetrics } from './evaluation-metrics.ts';
import { type OpenReference, openReference, referenceSets } from './evaluation-reference.ts';
import { runFieldData } from './field-data.ts';
import { generatedSet } from './generated-set.ts';
import { judgeSamples, openMetricTools } from './judge-samples.ts';
import { metricValues } from './metric-names.ts';
import type { RunData } from './run-data.ts';
import { parameterGroup } from './run-parameters.ts';
import type { TrainRequest } from './run-types.ts';
import type { SampleSource } from './sample-source.ts';
import { labelsInTurn } from './trained-run.ts';

/** What is trained. */
export interface TrainingParts {
  readonly runtime: Runtime;
  readonly data: RunData;
  readonly model: Model;
  readonly trainer: Trainer;
}

/** Evaluations that are set up. */
export interface TrainingEvaluation {
  /** As the loop takes them, for a run that was evaluated before. */
  options(past: readonly EvaluationEvent[]): EvaluationOptions;
  release(): void;
}

/** Opens the sampler of a trainer's averaged parameters as they are now, for as long as `use` takes. */
async function withTrainerSamples<T>(
  { config }: TrainRequest,
  { runtime, data, model, trainer }: TrainingParts,
  use: (source: SampleSource) => Promise<T>,
): Promise<T> {
  const group = parameterGroup(config, true);
  const types = parameterTypes(model.parameters);
  const paths = flattenTree<TensorType>(types, isTensorType).map(([path]) => path);
  const state = await trainer.readState(paths.map((path) => `${group}.${path}`));
  // The types are float32.
  const parameters = Object.fromEntries(paths.map((path) => [path, state[`${group}.${path}`] as Float32Array]));
  const { sampling } = config;
  const network = { model, parameterTypes: types, parameters, batch: sampling.batchSize };
  const sampler = await createSampler(runtime, network);
  try {
    const usualLabels = (count: number) => labelsInTurn(count, model.classes);
    return await use({ data: runFieldData(data), sampler, sampling, usualLabels });
  } finally {
    sampler.release();
  }
}

/**
 * Sets up the evaluations of a training; `null` if its config asks for none. The data's features are extracted when they are first needed.
 * @throws ConfigError or DataError if a metric cannot be measured, or features or data cannot be had.
 */
export async function openTrainingEvaluation(
  request: TrainRequest,
  parts: TrainingParts,
): Promise<TrainingEvaluation | null> {
  const { config, signal, onEvent } = request;
  const { evaluation } = config.training;
  if (evaluation === null) return null;
  const { everyImages, metrics, features, count, against, referenceCount, best } = evaluation;
  const training = await runPopulation(config, 'train');
  const reference = against === 'train' ? training : await runPopulation(config, against);
  const sets = referenceSets(reference, training, referenceCount);
  const { runtime } = parts;
  const map = await openFeatures({
    name: features,
    data: training,
    images: runImages(config),
    runtime,
    signal,
    onEvent,
  });
  const plan = planMetrics(metrics, {
    generated: count,
    reference: sets.reference.count,
    training: sets.training.count,
    images: isImageShape(training.shape),
    classifier: map.classifies,
    labels: parts.model.classes !== null && map.knowsLabels,
  });
  const tools = await openMetricTools(config.runtime, signal);
  const { products } = tools;
  let opened: OpenReference | null = null;
  const measure = () =>
    withTrainerSamples(request, parts, async (source) => {
      opened ??= await openReference(sets, map, { withTraining: plan.training, products, signal, onEvent });
      const set = generatedSet(source, { first: 0, count }, training);
      return judgeSamples(set, { map, reference: opened, plan, tools, signal, onEvent });
    });
  const rule = best === null ? null : { ...best, better: metricValues[best.metric].better };
  return {
    options: (past) => ({ everyImages, measure, best: rule, past }),
    release() {
      tools.release();
      map.release();
    },
  };
}
