/** Trains the autoencoder of a config in its run's folder. */
import { join } from 'node:path';
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import { CheckpointError } from '../errors.ts';
import type { Metric } from '../metrics/metric.ts';
import { parameterCount } from '../models/parameters.ts';
import {
  type AutoencoderTrainer,
  type AutoencoderTrainerOptions,
  createAutoencoderTrainer,
} from '../training/autoencoder-trainer.ts';
import { latestCheckpoint } from '../training/checkpoint.ts';
import { type LoopOptions, type LoopOutcome, runTraining } from '../training/loop.ts';
import type { AutoencoderConfig } from './autoencoder-config.ts';
import { type AutoencoderData, openAutoencoderData, openPictureSteps } from './autoencoder-data.ts';
import { autoencoderTrainerOptions } from './autoencoder-setup.ts';
import { checkDirectory, type FolderRequest, holdDirectory, restoreNewest } from './hold-run.ts';
import {
  measureReconstruction,
  type ReconstructionQuality,
  type Reconstructor,
  writeReconstructionGrid,
} from './reconstruction-quality.ts';
import {
  appendLog,
  type RunDirectory,
  readLog,
  writeEnvironment,
  writeOutcome,
  writeRunConfig,
} from './run-directory.ts';
import type { LossEstimate, RunEvent } from './run-types.ts';

/** A training of an autoencoder to be done in a run's folder. */
export interface AutoencoderRequest extends FolderRequest {
  readonly config: AutoencoderConfig;
  /** Aborting saves a checkpoint and ends the training. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** What held-out pictures became by the averaged parameters. */
export interface ReconstructionOutcome extends LossEstimate {
  /** Before the first step. */
  readonly untrained: LossEstimate | null;
  readonly psnr: Metric;
  readonly ssim: Metric;
  readonly codes: ReconstructionQuality['codes'];
  /** PNG of pictures above their reconstructions. */
  readonly grid: string;
}

/** How the training of an autoencoder ended. */
export interface AutoencoderOutcome {
  readonly directory: string;
  readonly imagesSeen: number;
  /** Time spent in this process. */
  readonly seconds: number;
  /** Whether the signal ended it; the checkpoint then holds everything. */
  readonly interrupted: boolean;
  /** Newest checkpoint. */
  readonly checkpoint: string;
  readonly parameterCount: number;
  /** 0 without a discriminator. */
  readonly discriminatorParameterCount: number;
  /** [channels, height, width] of the latents of a picture. */
  readonly latents: readonly number[];
  /** `null` if there are no held-out pictures, or the run was interrupted. */
  readonly reconstruction: ReconstructionOutcome | null;
  /** SVG of the losses; `null` if the run was interrupted. */
  readonly curve: string | null;
  /** Image files that could not be read and were left out. */
  readonly skippedImages: number;
}

interface PreparedRun {
  readonly request: AutoencoderRequest;
  readonly data: AutoencoderData;
  readonly options: AutoencoderTrainerOptions;
  readonly trainer: AutoencoderTrainer;
}

/**
 * Trains, or goes on training, until the config's number of images or the signal.
 * @throws as `train` of flows.
 */
export async function trainAutoencoder(request: AutoencoderRequest): Promise<AutoencoderOutcome> {
  const { config, onEvent } = request;
  checkDirectory(request);
  const runtime = await openNativeRuntime(config.runtime);
  try {
    const data = await openAutoencoderData(config);
    const options = await autoencoderTrainerOptions(runtime, config, (text) => onEvent({ kind: 'note', text }));
    const trainer = await createAutoencoderTrainer(options);
    const giveBack = holdDirectory(request);
    try {
      const directory = writeRunConfig(request.directory, config);
      writeEnvironment(directory, runtime);
      return await trainIn(directory, { request, data, options, trainer });
    } finally {
      giveBack();
    }
  } finally {
    runtime.release();
  }
}

async function trainIn(directory: RunDirectory, run: PreparedRun): Promise<AutoencoderOutcome> {
  const { trainer, data, request } = run;
  await restoreNewest(trainer, directory);
  const steps = openPictureSteps(data.train, request.config, trainer.imagesSeen);
  try {
    const ended = await runTraining(trainer, { ...loopOptions(directory, run), prepare: steps.step });
    const skippedImages = data.train.skipped.length + steps.skipped;
    const outcome = { ...(await outcomeOf(directory, run, ended)), skippedImages };
    writeOutcome(directory, outcome);
    return outcome;
  } finally {
    await steps.close();
  }
}

function reconstructorOf({ trainer, options }: PreparedRun): Reconstructor {
  const { network, batch } = options.parts;
  return { trainer, network, batch };
}

function loopOptions(directory: RunDirectory, run: PreparedRun): Omit<LoopOptions, 'prepare'> {
  const { request, data } = run;
  const { validation, checkpoint, log, images } = request.config.training;
  const { heldOut } = data;
  const never = Number.POSITIVE_INFINITY;
  const measure = async (pictures: NonNullable<typeof heldOut>) => {
    const { loss, standardError, psnr, ssim, codes } = await measureReconstruction(pictures, reconstructorOf(run));
    return { loss, standardError, reconstruction: { psnr: psnr.value, ssim: ssim.value, codes } };
  };
  return {
    images,
    validation:
      heldOut === null ? null : { measure: () => measure(heldOut), everyImages: validation.everyImages ?? never },
    checkpoints: {
      folder: directory.checkpoints,
      everyImages: checkpoint.everyImages ?? never,
      keep: checkpoint.keep ?? never,
    },
    logEveryImages: log.everyImages,
    signal: request.signal,
    onEvent(event) {
      appendLog(directory, event);
      request.onEvent(event);
    },
  };
}

async function outcomeOf(
  directory: RunDirectory,
  run: PreparedRun,
  { imagesSeen, seconds, interrupted }: LoopOutcome,
): Promise<Omit<AutoencoderOutcome, 'skippedImages'>> {
  const { network, adversary } = run.options.parts;
  const checkpoint = await latestCheckpoint(directory.checkpoints);
  if (checkpoint === null) {
    const expected = 'a checkpoint at the end of training';
    throw new CheckpointError({ expected, got: 'none', where: 'experiments/train-autoencoder' });
  }
  return {
    directory: directory.path,
    imagesSeen,
    seconds,
    interrupted,
    checkpoint: checkpoint.path,
    parameterCount: parameterCount(network.parameters),
    discriminatorParameterCount: adversary === null ? 0 : parameterCount(adversary.network.parameters),
    latents: network.latents.shape,
    // An interrupted run is not kept waiting.
    reconstruction: interrupted ? null : await reconstructionOf(directory, run),
    curve: interrupted ? null : await curveOf(directory, run.request.config),
  };
}

async function curveOf({ path }: RunDirectory, { name, loss }: AutoencoderConfig): Promise<string> {
  // Charts take a second to load, which commands without them shall not wait for.
  const { writeTrainingCurve } = await import('./training-curve.ts');
  const pixels = loss.pixel === 'l1' ? 'mean absolute error' : 'mean squared error';
  const others = loss.perceptual === null && loss.adversarial === null ? '' : ' and other terms';
  return writeTrainingCurve(path, { name, yLabel: `${pixels} of pixels, loss of latents${others}` });
}

async function reconstructionOf(directory: RunDirectory, run: PreparedRun): Promise<ReconstructionOutcome | null> {
  const { heldOut } = run.data;
  if (heldOut === null) return null;
  const {
    pixels: made,
    loss,
    standardError,
    psnr,
    ssim,
    codes,
  } = await measureReconstruction(heldOut, reconstructorOf(run));
  const grid = join(directory.samples, 'reconstructions.png');
  await writeReconstructionGrid(grid, heldOut, { made, shape: run.options.parts.network.input.shape });
  const first = readLog(directory).find((event) => event.kind === 'validation' && event.imagesSeen === 0);
  const samples = heldOut.count;
  const untrained =
    first?.kind === 'validation' ? { loss: first.loss, standardError: first.standardError, samples } : null;
  return { loss, standardError, samples, untrained, psnr, ssim, codes, grid };
}
