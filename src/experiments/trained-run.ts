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
import {
  type Checkpoint,
  latestCheckpoint,
  openCheckpoint,
  openCheckpointTensors,
  readCheckpoint,
} from '../training/checkpoint.ts';
import { buildModel } from './build.ts';
import type { RunConfig } from './config.ts';
import { openRunData, type RunData } from './run-data.ts';
import { readRunConfig, runDirectory } from './run-directory.ts';

/** A run with a checkpoint. */
export interface TrainedRun {
  readonly config: RunConfig;
  readonly checkpoint: Checkpoint;
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
    return { config: readRunConfig(dirname(dirname(path))), checkpoint: await openCheckpoint(path) };
  }
  const config = readRunConfig(path);
  const checkpoint = await latestCheckpoint(runDirectory(path).checkpoints);
  if (checkpoint !== null) return { config, checkpoint };
  throw new CheckpointError({
    expected: `\`${directory}\` to hold a checkpoint`,
    got: 'none',
    where: 'experiments/trained-run',
    remedy: `training it first: train --resume ${directory}`,
  });
}

/** Averaged parameters, or those of the last step. */
export type ParameterGroup = 'ema' | 'parameters';

/** Which parameters a run offers to one who wants the averaged ones, or does not. */
export function parameterGroup({ training }: RunConfig, wantsEma: boolean): ParameterGroup {
  return wantsEma && training.ema !== null ? 'ema' : 'parameters';
}

/** Parameters of a checkpoint that are read one by one. */
export interface ParameterFile {
  /** Values of the parameter at a path. */
  read(path: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Opens the parameters of a checkpoint. @throws CheckpointError if it is damaged. */
export async function openParameters(checkpoint: Checkpoint, group: ParameterGroup): Promise<ParameterFile> {
  const file = await openCheckpointTensors(checkpoint);
  return {
    // Parameters are float32 by the model's own types.
    read: async (path) => (await file.read(`${group}.${path}`)).data as Float32Array,
    close: () => file.close(),
  };
}

/** Parameters by path. @throws CheckpointError if the checkpoint is damaged. */
export async function readParameters(
  checkpoint: Checkpoint,
  group: ParameterGroup,
): Promise<Record<string, Float32Array>> {
  const tensors = await readCheckpoint(checkpoint, `${group}.`);
  // Parameters are float32 by the model's own types; the sampler's stepper checks them against those.
  return Object.fromEntries(
    [...tensors].map(([name, { data }]) => [name.slice(group.length + 1), data as Float32Array]),
  );
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
