/** The folder of a training: whether it may be used, for one process at a time, and how a training goes on in it. */
import { mkdirSync } from 'node:fs';
import { ConfigError, DataError } from '../errors.ts';
import { latestCheckpoint } from '../training/checkpoint.ts';
import type { LoopTrainer } from '../training/loop.ts';
import { lockRun } from '../training/run-lock.ts';
import type { Trainer } from '../training/trainer.ts';
import type { AnyConfig } from './any-config.ts';
import type { RunConfig } from './config.ts';
import {
  appendLog,
  checkFree,
  type RunDirectory,
  readAnyRunConfig,
  readLog,
  truncateLog,
  truncateToPreliminary,
  untellCheckpoint,
} from './run-directory.ts';

/** A training of any kind in a run's folder. */
export interface FolderRequest {
  readonly config: AnyConfig;
  /** Folder of the run; made if it does not exist. */
  readonly directory: string;
  /** Whether to go on from the newest checkpoint of the folder; otherwise the folder must be new or empty. */
  readonly resume: boolean;
}

/** What of a config belongs to its run, and may not change between its parts. */
function identity(config: AnyConfig): string {
  if ('stages' in config) return JSON.stringify(config);
  const { runtime: _runtime, name: _name, ...rest } = config;
  // In mixed precision, what is computed again is rounded again, and not always in the same places.
  const { rematerialise, precision } = config.training;
  const training = { ...config.training, rematerialise: precision === 'mixed' ? rematerialise : null, inPlace: null };
  if (!('sampling' in rest)) return JSON.stringify({ ...rest, training });
  const { sampling, latent, ...others } = rest;
  // Where samples are judged, how they are made belongs to the run.
  const judged = others.training.evaluation === null ? null : sampling;
  return JSON.stringify([{ ...others, training }, judged, latentIdentity(latent)]);
}

/** A latent space is told by its encoder's hash: the folders of the encoder and of its latents may move. */
function latentIdentity(latent: RunConfig['latent']) {
  if (latent.kind === 'identity') return latent;
  const { run: _run, cache: _cache, dtype: _dtype, ...kept } = latent;
  return kept;
}

/** @throws ConfigError if the request does not fit what is in its folder. */
export function checkDirectory({ directory, resume, config }: FolderRequest): void {
  if (!resume) {
    checkFree(directory);
    return;
  }
  if (identity(readAnyRunConfig(directory)) === identity(config)) return;
  throw new ConfigError({
    expected: `the config of \`${directory}\``,
    got: 'another one',
    where: 'experiments/hold-run',
    remedy: 'resuming without other settings',
  });
}

/**
 * Takes the run's folder for this process, making it where it is not there.
 * @returns a function that gives it back.
 * @throws ConfigError as `checkDirectory`; DataError if there can be no such folder; CheckpointError if another process has it.
 */
export function holdDirectory(request: FolderRequest): () => void {
  const { directory } = request;
  try {
    mkdirSync(directory, { recursive: true });
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new DataError({ expected: `\`${directory}\` to be a folder`, got, where: 'experiments/hold-run', cause });
  }
  const release = lockRun(directory);
  try {
    // Again, as another process may have been here since the first time.
    checkDirectory(request);
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

/** What a training does besides steps. */
export interface RestoreOptions {
  /** Work done before the first step, asked for after the trainer is restored; default none. */
  readonly preliminaryDone?: () => number;
  /** Whether samples are evaluated between two numbers of images; default never. */
  readonly isEvaluationDue?: (before: number, after: number) => boolean;
}

/** Continues from the newest checkpoint, if there is one, and makes the log end where it stands. */
export async function restoreNewest(
  trainer: LoopTrainer & Pick<Trainer, 'restore'>,
  directory: RunDirectory,
  { preliminaryDone = () => 0, isEvaluationDue = () => false }: RestoreOptions = {},
): Promise<void> {
  const checkpoint = await latestCheckpoint(directory.checkpoints);
  if (checkpoint !== null) await trainer.restore(checkpoint);
  const { imagesSeen, imagesPerStep } = trainer;
  // The loop tells the start of a run again, but for what has been done before it.
  if (checkpoint === null || imagesSeen === 0) return truncateToPreliminary(directory, preliminaryDone());
  truncateLog(directory, imagesSeen);
  // The loop evaluates first and then tells of the checkpoint again.
  if (isEvaluationDue(imagesSeen - imagesPerStep, imagesSeen)) return untellCheckpoint(directory, imagesSeen);
  const told = readLog(directory).some((event) => event.kind === 'checkpoint' && event.imagesSeen === imagesSeen);
  // Its writer may have been killed before it could tell of it.
  if (!told) appendLog(directory, { kind: 'checkpoint', imagesSeen, path: checkpoint.path });
}
