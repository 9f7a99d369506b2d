/** Makes samples with a trained run. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import { CheckpointError, ConfigError } from '../errors.ts';
import { parameterTypes } from '../models/parameters.ts';
import {
  createSampler,
  type LatentSamples,
  type Sampler,
  type SampleRequest as SamplerRequest,
} from '../sampling/sampler.ts';
import { type Checkpoint, latestCheckpoint, openCheckpoint, readCheckpoint } from '../training/checkpoint.ts';
import { buildModel, buildSolver } from './build.ts';
import type { RunConfig } from './config.ts';
import { openRunData } from './run-data.ts';
import { readRunConfig, runDirectory } from './run-directory.ts';
import type { SampleOutcome, SampleRequest } from './run-types.ts';
import { checkFiles, writeSampleFiles } from './sample-files.ts';

interface TrainedRun {
  readonly config: RunConfig;
  readonly checkpoint: Checkpoint;
}

/** The run in a folder, or the run of which a folder is a checkpoint. @throws CheckpointError if nothing is trained yet. */
async function openRun(directory: string): Promise<TrainedRun> {
  const path = resolve(directory);
  if (existsSync(join(path, 'checkpoint.json'))) {
    return { config: readRunConfig(dirname(dirname(path))), checkpoint: await openCheckpoint(path) };
  }
  const config = readRunConfig(path);
  const checkpoint = await latestCheckpoint(runDirectory(path).checkpoints);
  if (checkpoint !== null) return { config, checkpoint };
  throw new CheckpointError({
    expected: `\`${directory}\` to hold a checkpoint`,
    got: 'none',
    where: 'experiments/sample-run',
    remedy: `training it first: train --resume ${directory}`,
  });
}

/** Parameters by path: the averaged ones, or the raw ones. */
async function parametersOf(
  checkpoint: Checkpoint,
  group: 'ema' | 'parameters',
): Promise<Record<string, Float32Array>> {
  const tensors = await readCheckpoint(checkpoint, `${group}.`);
  // Parameters are float32 by the model's own types; the sampler's stepper checks them against those.
  return Object.fromEntries(
    [...tensors].map(([name, { data }]) => [name.slice(group.length + 1), data as Float32Array]),
  );
}

/** @throws ConfigError unless there are seeds, all of them 32-bit numbers, and as many labels, if any. */
function checkRows({ seeds, labels }: SampleRequest): void {
  const fault = (expected: string, got: string) => new ConfigError({ expected, got, where: 'experiments/sample-run' });
  if (seeds.length === 0) throw fault('at least one seed', 'none');
  const wrong = seeds.find((seed) => !Number.isInteger(seed) || seed < 0 || seed > 0xffffffff);
  if (wrong !== undefined) throw fault('seeds to be integers in [0, 2^32)', `${wrong}`);
  if (labels !== null && labels.length !== seeds.length) {
    throw fault(`a label for each of the ${seeds.length} seeds`, `${labels.length} labels`);
  }
  const part = labels?.find((label) => !Number.isInteger(label));
  if (part !== undefined) throw fault('labels to be integers', `${part}`);
}

function samplerRequest(
  request: SampleRequest,
  sampling: RunConfig['sampling'],
  classes: number | null,
): SamplerRequest {
  const inTurn = classes === null ? null : Int32Array.from(request.seeds, (_, i) => i % classes);
  return {
    ...buildSolver(sampling.solver),
    seeds: Uint32Array.from(request.seeds),
    labels: request.labels === null ? inTurn : Int32Array.from(request.labels),
    guidance: sampling.guidance ?? 1,
    trajectory: request.trajectoryPath !== null,
    signal: request.signal,
  };
}

function joined<A extends Float32Array | Int32Array>(parts: readonly A[], empty: A): A {
  // As long as all parts together, of their own type.
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = (empty instanceof Int32Array ? new Int32Array(length) : new Float32Array(length)) as A;
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}

/** Batches of samples joined; `trajectory` has one array a time. */
function joinSamples(parts: readonly LatentSamples[]) {
  const floats = new Float32Array(0);
  return {
    latents: joined(
      parts.map(({ latents }) => latents),
      floats,
    ),
    evaluations: joined(
      parts.map(({ evaluations }) => evaluations),
      new Int32Array(0),
    ),
    converged: parts.every(({ converged }) => converged),
    trajectory: (parts[0].trajectory ?? []).map((_, time) =>
      joined(
        parts.map(({ trajectory }) => trajectory?.[time] ?? floats),
        floats,
      ),
    ),
  };
}

async function makeSamples(sampler: Sampler, settings: SamplerRequest, onEvent: SampleRequest['onEvent']) {
  const parts: LatentSamples[] = [];
  const count = settings.seeds.length;
  const begun = performance.now();
  let done = 0;
  for await (const part of sampler.sample(settings)) {
    parts.push(part);
    done += part.seeds.length;
    const secondsLeft = ((performance.now() - begun) / 1000 / done) * (count - done);
    onEvent({ kind: 'sample', done, count, secondsLeft });
  }
  return joinSamples(parts);
}

/**
 * Makes the samples of a request.
 * @throws ConfigError if labels, seeds, files or settings do not fit the run; CheckpointError if it has no whole checkpoint.
 */
export async function sample(request: SampleRequest): Promise<SampleOutcome> {
  const started = performance.now();
  checkRows(request);
  const { config, checkpoint } = await openRun(request.directory);
  const sampling = { ...config.sampling, ...request.sampling };
  const { shape, classes, latent } = await openRunData(config);
  checkFiles(request, latent);
  const model = buildModel(config.model, { shape, classes: classes?.length ?? null });
  const group = request.ema && config.training.ema !== null ? 'ema' : 'parameters';
  const settings = samplerRequest(request, sampling, model.classes);
  const runtime = await openNativeRuntime({ ...config.runtime, ...request.runtime });
  try {
    const sampler = await createSampler(runtime, {
      model,
      parameterTypes: parameterTypes(model.parameters),
      parameters: await parametersOf(checkpoint, group),
      batch: sampling.batchSize,
    });
    const samples = await makeSamples(sampler, settings, request.onEvent);
    const paths = await writeSampleFiles({ ...settings, ...samples, shape, latent }, request);
    const perEvaluation = settings.guidance === 1 ? 1 : 2;
    const evaluations = samples.evaluations.reduce((sum, one) => sum + one, 0) / settings.seeds.length;
    return {
      samples: settings.seeds.length,
      seconds: (performance.now() - started) / 1000,
      evaluations: perEvaluation * evaluations,
      converged: samples.converged,
      paths,
    };
  } finally {
    runtime.release();
  }
}
