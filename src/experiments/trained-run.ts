/** A run that has been trained, as what uses its network opens it: config, checkpoint, parameters, sampler. */
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import type { Runtime } from '../engine/runtime.ts';
import { CheckpointError } from '../errors.ts';
import type { Model } from '../models/model.ts';
import { parameterTypes } from '../models/parameters.ts';
import type { NetworkFlowOptions } from '../sampling/network-flow.ts';
import { createSampler, type Sampler } from '../sampling/sampler.ts';
import { bestCheckpointPath, bestName } from '../training/best-checkpoint.ts';
import { type Checkpoint, latestCheckpoint, openCheckpoint } from '../training/checkpoint.ts';
import { buildModel } from './build.ts';
import type { RunConfig } from './config.ts';
import { withMovedAutoencoder } from './latent-data.ts';
import { openRunData, type RunData } from './run-data.ts';
import { readRunConfig, runDirectory } from './run-directory.ts';
import { openParameters, type ParameterGroup } from './run-parameters.ts';

/** A run with a checkpoint. */
export interface TrainedRun {
  readonly config: RunConfig;
  readonly checkpoint: Checkpoint;
}

/** Config of a run, wherever its folder is now. */
function openedConfig(directory: string): RunConfig {
  return withMovedAutoencoder(readRunConfig(directory), directory);
}

/**
 * The run in a folder with its newest checkpoint, or the run of which a folder is a checkpoint; `<run>/checkpoints/best` stands for the
 * one with the best evaluation.
 * @throws ConfigError if the folder holds no run; CheckpointError if nothing is trained yet.
 */
export async function openTrainedRun(directory: string): Promise<TrainedRun> {
  const asked = resolve(directory);
  const path = basename(asked) === bestName && !existsSync(asked) ? await bestCheckpointPath(dirname(asked)) : asked;
  if (existsSync(join(path, 'checkpoint.json'))) {
    return { config: openedConfig(dirname(dirname(path))), checkpoint: await openCheckpoint(path) };
  }
  const config = openedConfig(path);
  const checkpoint = await latestCheckpoint(runDirectory(path).checkpoints);
  if (checkpoint !== null) return { config, checkpoint };
  throw new CheckpointError({
    expected: `\`${directory}\` to hold a checkpoint`,
    got: 'none',
    where: 'experiments/trained-run',
    remedy: `training it first: train --resume ${directory}`,
  });
}

/** The network of a trained run on its data. @throws ConfigError or DataError if the data or the model cannot be had. */
export async function openRunModel(config: RunConfig): Promise<{ readonly data: RunData; readonly model: Model }> {
  const data = await openRunData(config);
  return { data, model: buildModel(config.model, { shape: data.shape, classes: data.classes?.length ?? null }) };
}

/** What a sampler of a run is made of. */
export interface RunSamplerOptions {
  readonly model: Model;
  readonly group: ParameterGroup;
  /** Samples that go through the network together. */
  readonly batch: number;
  readonly runtime: RunConfig['runtime'];
}

/** The network of a run with its parameters, and the runtime that is to execute it. */
export interface OpenNetwork {
  readonly runtime: Runtime;
  readonly network: NetworkFlowOptions;
}

/** Opens a runtime, and the network with its parameters, for as long as `use` takes. @throws RuntimeError if they cannot be had. */
export async function withNetwork<T>(
  { checkpoint }: TrainedRun,
  { model, group, batch, runtime: settings }: RunSamplerOptions,
  use: (open: OpenNetwork) => Promise<T>,
): Promise<T> {
  const runtime = await openNativeRuntime(settings);
  const parameters = await openParameters(checkpoint, group).catch((error: unknown) => {
    runtime.release();
    throw error;
  });
  try {
    const network = { model, parameterTypes: parameterTypes(model.parameters), parameters: parameters.read, batch };
    return await use({ runtime, network });
  } finally {
    await parameters.close();
    runtime.release();
  }
}

/** Opens a runtime and a sampler for as long as `use` takes. @throws RuntimeError if they cannot be had. */
export function withSampler<T>(
  run: TrainedRun,
  options: RunSamplerOptions,
  use: (sampler: Sampler) => Promise<T>,
): Promise<T> {
  return withNetwork(run, options, async ({ runtime, network }) => use(await createSampler(runtime, network)));
}

/** The label of each of `count` samples where none are chosen: the classes in turn; null for a model without. */
export function labelsInTurn(count: number, classes: number | null): Int32Array | null {
  return classes === null ? null : Int32Array.from({ length: count }, (_, i) => i % classes);
}
