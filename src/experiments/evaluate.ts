/** Judges samples of a run, or images from anywhere, by metrics. */

import { openDataset } from '../data/open-dataset.ts';
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import type { Runtime } from '../engine/runtime.ts';
import { ConfigError } from '../errors.ts';
import { describeNetwork } from '../metrics/feature-set.ts';
import type { Metric } from '../metrics/metric.ts';
import { createSampler } from '../sampling/sampler.ts';
import type {
  EvaluateOutcome,
  EvaluateRequest,
  EvaluateRunRequest,
  EvaluateSetRequest,
  EvaluationRecord,
  Judged,
} from './evaluate-request.ts';
import { openFeatures } from './evaluation-features.ts';
import { keepEvaluation } from './evaluation-file.ts';
import { planMetrics } from './evaluation-metrics.ts';
import { type NamedData, openReference, referenceSets } from './evaluation-reference.ts';
import type { FeatureMap } from './feature-map.ts';
import { generatedSet } from './generated-set.ts';
import { judgeSamples, openMetricTools } from './judge-samples.ts';
import { openStoredData, type StoredData, storedDataName } from './run-data.ts';
import { type SampleSet, storedSamples } from './sample-set.ts';
import { openRunModel, openTrainedRun, parameterGroup, withNetwork } from './trained-run.ts';

const where = 'experiments/evaluate';

/** Samples to be judged, once a runtime is there. */
interface Candidate {
  readonly judged: Judged;
  readonly count: number;
  /** Whether each was made for a label. */
  readonly labelled: boolean;
  readonly against: NamedData;
  readonly training: NamedData;
  /** Opens the samples, and the runtime that metrics are computed with, for as long as `use` takes. */
  open<T>(use: (set: SampleSet, runtime: Runtime) => Promise<T>): Promise<T>;
}

/** @throws ConfigError if the run holds nothing out, or seeds are too large; CheckpointError if nothing is trained. */
async function runCandidate(request: EvaluateRunRequest): Promise<Candidate> {
  const { directory, seeds, against, sampling, runtime, ema } = request;
  if (seeds.first + seeds.count > 2 ** 32) {
    throw new ConfigError({ expected: 'seeds below 2^32', got: String(seeds.first + seeds.count - 1), where });
  }
  const run = await openTrainedRun(directory);
  const { config, checkpoint } = run;
  const training = await namedData(config, 'train');
  const { data, model } = await openRunModel(config);
  const group = parameterGroup(config, ema);
  const { solver, guidance, batchSize } = sampling;
  const { imagesSeen } = checkpoint.facts;
  return {
    judged: { kind: 'run', imagesSeen, parameters: group, seeds, sampling: { solver, guidance, batchSize } },
    count: seeds.count,
    labelled: model.classes !== null,
    against: against === 'train' ? training : await namedData(config, 'test'),
    training,
    open: (use) =>
      withNetwork(run, { model, group, batch: batchSize, runtime }, async ({ runtime: opened, network }) => {
        const sampler = await createSampler(opened, network);
        const options = { seeds, sampling, data: training.data, labelled: model.classes !== null, latent: data.latent };
        return use(generatedSet(sampler, options), opened);
      }),
  };
}

type RunConfigOf = Awaited<ReturnType<typeof openTrainedRun>>['config'];

async function namedData(config: RunConfigOf, split: 'train' | 'test'): Promise<NamedData> {
  const data = await openStoredData(config, split);
  if (data !== null) return { data, name: storedDataName(config, split) };
  throw new ConfigError({
    expected: 'data of which some are held out',
    got: `\`${config.data.source}\`, which holds nothing out`,
    where,
    remedy: '--against train',
  });
}

async function setCandidate(request: EvaluateSetRequest): Promise<Candidate> {
  const { source, against, split, size, runtime } = request;
  const open = (path: string, part: 'train' | 'test') =>
    openDataset({ source: path, split: part, heldOut: null, ...(size === null ? {} : { size }) });
  const images = await open(source, 'train');
  const reference = { data: await open(against, split), name: `${against} ${split}` };
  return {
    judged: { kind: 'set', source, count: images.count },
    count: images.count,
    labelled: sameClasses(images, reference.data),
    against: reference,
    training: reference,
    async open(use) {
      const opened = await openNativeRuntime(runtime);
      try {
        return await use(storedSamples(images, source), opened);
      } finally {
        opened.release();
      }
    },
  };
}

function sameClasses(a: StoredData, b: StoredData): boolean {
  return a.classes !== null && JSON.stringify(a.classes) === JSON.stringify(b.classes);
}

/** @throws ConfigError if a metric was asked for that cannot be measured, before anything is computed. */
async function judge(candidate: Candidate, map: FeatureMap, request: EvaluateRequest): Promise<readonly Metric[]> {
  const { metrics, referenceCount, signal, onEvent } = request;
  const { count, labelled, against, training } = candidate;
  const sets = referenceSets(against, training, referenceCount);
  const plan = planMetrics(metrics, {
    generated: count,
    reference: sets.reference.count,
    training: sets.training.count,
    images: against.data.kind === 'images',
    classifier: map.classifies,
    labels: labelled && map.knowsLabels,
  });
  for (const text of plan.notes) onEvent({ kind: 'note', text });
  return candidate.open(async (set, runtime) => {
    const tools = openMetricTools(runtime, signal);
    try {
      const { products } = tools;
      const reference = await openReference(sets, map, { withTraining: plan.training, products, signal, onEvent });
      return await judgeSamples(set, { map, reference, plan, tools, signal, onEvent });
    } finally {
      tools.release();
    }
  });
}

/**
 * Measures what a request asks for and keeps a record of it.
 * @throws ConfigError or DataError for what a user can correct; CheckpointError if a run has no whole checkpoint; the signal's reason
 *   once it is aborted, and then nothing is written.
 */
export async function evaluate(request: EvaluateRequest): Promise<EvaluateOutcome> {
  const started = performance.now();
  const { outPath } = request;
  const candidate = request.kind === 'run' ? await runCandidate(request) : await setCandidate(request);
  const map = await openFeatures(request.features, candidate.training.data);
  try {
    const metrics = await judge(candidate, map, request);
    const record: EvaluationRecord = {
      generated: candidate.judged,
      features: describeNetwork({ ...map, data: '' }),
      reference: candidate.against.name,
      metrics,
    };
    if (outPath !== null) keepEvaluation(outPath, record);
    const seconds = (performance.now() - started) / 1000;
    return { record, seconds, paths: outPath === null ? [] : [outPath] };
  } finally {
    map.release();
  }
}
