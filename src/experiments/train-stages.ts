/** Does the stages of a config one after the other, each in a folder of the run; what is done is not done again. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { internalError } from '../errors.ts';
import type { RunConfig } from './config.ts';
import { encode } from './encode-data.ts';
import { evaluate } from './evaluate.ts';
import { checkDirectory, holdDirectory } from './hold-run.ts';
import { readOutcome, readRunConfig, writeConfig, writeOutcome } from './run-directory.ts';
import { gridPlan } from './sample-plan.ts';
import { sample } from './sample-run.ts';
import { autoencoderOfStages, flowOfStages, type StageName, stageFolders, stageNames } from './stages-config.ts';
import type { StageOutcomes, StagesOutcome, StagesRequest } from './stages-request.ts';
import { trainAutoencoder } from './train-autoencoder.ts';
import { train } from './train-run.ts';

type DoStage<K extends StageName> = (request: StagesRequest) => Promise<NonNullable<StageOutcomes[K]>>;

const noOutcomes: StageOutcomes = { autoencoder: null, latents: null, flow: null, samples: null, metrics: null };

/** Whether a training has begun in a folder. */
function hasBegun(folder: string): boolean {
  return existsSync(join(folder, 'config.json'));
}

/** The flow's config: once it has begun as it was written down then, with the autoencoder's hash, wherever the run's folder is now. */
function flowConfig({ config, directory }: StagesRequest): RunConfig {
  const planned = flowOfStages(config, directory);
  const { flow } = stageFolders(directory);
  if (!hasBegun(flow)) return planned;
  const kept = readRunConfig(flow);
  if (kept.latent.kind !== 'autoencoder' || planned.latent.kind !== 'autoencoder') return planned;
  const { encoder, normalization } = kept.latent;
  return { ...planned, latent: { ...planned.latent, encoder, normalization } };
}

const stages: { readonly [K in StageName]: DoStage<K> } = {
  autoencoder({ config, directory, signal, onEvent }) {
    const folder = stageFolders(directory).autoencoder;
    return trainAutoencoder({
      config: autoencoderOfStages(config),
      directory: folder,
      resume: hasBegun(folder),
      signal,
      onEvent,
    });
  },

  latents({ config, directory, signal, onEvent }) {
    const folders = stageFolders(directory);
    const { flow, latents, autoencoder } = config.stages;
    return encode({
      data: flow.data,
      autoencoder: folders.autoencoder,
      folder: folders.latents,
      dtype: latents.dtype,
      flips: flow.data.flip,
      runtime: autoencoder.runtime,
      signal,
      onEvent,
    });
  },

  async flow(request) {
    const { directory, signal, onEvent } = request;
    const folder = stageFolders(directory).flow;
    const config = flowConfig(request);
    const outcome = await train({ config, directory: folder, resume: hasBegun(folder), signal, onEvent });
    // Charts take a second to load, which commands without them shall not wait for.
    const { writeTrainingCurve } = await import('./training-curve.ts');
    const constantLoss = outcome.constant?.loss ?? null;
    return { ...outcome, curve: writeTrainingCurve(folder, { name: config.name, constantLoss }) };
  },

  async samples({ config, directory, signal, onEvent }) {
    const folders = stageFolders(directory);
    const flow = readRunConfig(folders.flow);
    const perClass = config.stages.samples.perClass ?? flow.sampling.perClass;
    const { rowNames, ...plan } = await gridPlan({ ...flow, sampling: { ...flow.sampling, perClass } });
    const grid = join(folders.samples, 'grid.png');
    const outcome = await sample({
      ...plan,
      model: folders.flow,
      sampling: flow.sampling,
      ema: true,
      gridPath: grid,
      trajectoryPath: null,
      imagesPath: null,
      arraysPath: null,
      signal,
      onEvent,
    });
    return { ...outcome, grid, rowNames };
  },

  metrics({ config, directory, signal, onEvent }) {
    const folders = stageFolders(directory);
    const { flow, metrics } = config.stages;
    if (metrics === null) throw internalError('a stage without settings');
    const { count, ...choices } = metrics;
    return evaluate({
      ...choices,
      kind: 'model',
      model: folders.flow,
      seeds: { first: 0, count },
      ema: true,
      sampling: flow.sampling,
      runtime: flow.runtime,
      outPath: join(folders.metrics, 'metrics.json'),
      signal,
      onEvent,
    });
  },
};

/** The stages of a config. */
function plannedStages({ config }: StagesRequest): StageName[] {
  return stageNames.filter((name) => config.stages[name] !== null);
}

/** Does a stage. @returns `null` if the signal ended it. */
async function doStage<K extends StageName>(name: K, request: StagesRequest): Promise<StageOutcomes[K] | null> {
  try {
    const outcome = await stages[name](request);
    return 'interrupted' in outcome && outcome.interrupted ? null : outcome;
  } catch (error) {
    // What makes no checkpoints ends with the signal's reason; its files are whole or can be gone on with.
    if (request.signal.aborted && error === request.signal.reason) return null;
    throw error;
  }
}

/**
 * Does the stages of a request, or goes on with them: those that are done stay, the one that was interrupted goes on.
 * @throws as the functions of the stages; what is done stays, and resuming goes on from there.
 */
export async function trainStages(request: StagesRequest): Promise<StagesOutcome> {
  checkDirectory(request);
  const giveBack = holdDirectory(request);
  try {
    writeConfig(request.directory, request.config);
    return await doAll(request);
  } finally {
    giveBack();
  }
}

async function doAll(request: StagesRequest): Promise<StagesOutcome> {
  const { directory, signal, onEvent } = request;
  const started = performance.now();
  const planned = plannedStages(request);
  const kept = readOutcome(directory) as StagesOutcome | null; // as it was written below
  let done: StageOutcomes = kept?.stages ?? noOutcomes;
  const outcome = (interrupted: boolean): StagesOutcome => {
    return { directory, interrupted, seconds: (performance.now() - started) / 1000, stages: done };
  };
  for (const [i, name] of planned.entries()) {
    const isDone = done[name] !== null;
    onEvent({ kind: 'note', text: `Stage ${i + 1} of ${planned.length}, ${name}${isDone ? ': done before' : ''}` });
    if (isDone) continue;
    const made = signal.aborted ? null : await doStage(name, request);
    if (made === null) return outcome(true);
    done = { ...done, [name]: made };
    writeOutcome({ path: directory }, outcome(i < planned.length - 1));
  }
  return outcome(false);
}
