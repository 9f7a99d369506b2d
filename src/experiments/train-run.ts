/** Trains the run of a config in its folder. */
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import type { Runtime } from '../engine/runtime.ts';
import { CheckpointError, ConfigError } from '../errors.ts';
import { initializeParameters, parameterCount, parameterTypes } from '../models/parameters.ts';
import { latestCheckpoint } from '../training/checkpoint.ts';
import { type LoopOutcome, runTraining, type ValidationEvent } from '../training/loop.ts';
import { lockRun } from '../training/run-lock.ts';
import { createTrainer, prepareStep, type Trainer, type TrainerOptions } from '../training/trainer.ts';
import { constantPredictorLoss, type ValidationSet, validationSet } from '../training/validation.ts';
import {
  buildCoupling,
  buildEma,
  buildModel,
  buildOptimizer,
  buildPath,
  buildSchedule,
  buildTimeSampling,
} from './build.ts';
import type { RunConfig } from './config.ts';
import { openRunData, type RunData } from './run-data.ts';
import {
  appendLog,
  createRun,
  type RunDirectory,
  readLog,
  readRunConfig,
  runDirectory,
  truncateLog,
  writeEnvironment,
  writeOutcome,
} from './run-directory.ts';
import type { LossEstimate, TrainOutcome, TrainRequest } from './run-types.ts';

/** Everything that training is made of. */
function trainerOptions(runtime: Runtime, config: RunConfig, data: RunData): TrainerOptions {
  const model = buildModel(config.model, { shape: data.shape, classes: data.classes?.length ?? null });
  const path = buildPath(config.path);
  const { training, seed } = config;
  return {
    runtime,
    parts: {
      model,
      path,
      parameters: parameterTypes(model.parameters),
      optimizer: buildOptimizer(training.optimizer),
      batch: training.batchSize,
      clip: training.clip,
      ema: training.ema !== null,
      accumulate: training.accumulate,
    },
    preparation: {
      coupling: buildCoupling(config.coupling),
      time: buildTimeSampling(config.time),
      classes: model.classes,
      labelDropout: training.labelDropout,
      jitter: path.sigma > 0,
      seed,
    },
    learningRate: training.optimizer.learningRate,
    schedule: buildSchedule(training),
    ema: buildEma(training),
    initial: initializeParameters(model.parameters, seed),
  };
}

/** Configs are equal but for what may change between the parts of a run. */
function sameRun(a: RunConfig, b: RunConfig): boolean {
  const identity = ({ runtime: _runtime, sampling: _sampling, name: _name, ...rest }: RunConfig) =>
    JSON.stringify(rest);
  return identity(a) === identity(b);
}

function openDirectory({ directory, resume, config }: TrainRequest): RunDirectory {
  if (!resume) return createRun(directory, config);
  if (!sameRun(readRunConfig(directory), config)) {
    throw new ConfigError({
      expected: `the config of \`${directory}\``,
      got: 'another one',
      where: 'experiments/train-run',
      remedy: 'resuming without other settings',
    });
  }
  return runDirectory(directory);
}

/** Continues from the newest checkpoint; a run that was killed before its first one starts anew. */
async function restore(trainer: Trainer, directory: RunDirectory): Promise<void> {
  const checkpoint = await latestCheckpoint(directory.checkpoints);
  if (checkpoint === null) return truncateLog(directory, -1);
  await trainer.restore(checkpoint);
  truncateLog(directory, checkpoint.facts.imagesSeen);
}

async function heldOutSet(config: RunConfig, data: RunData, options: TrainerOptions): Promise<ValidationSet | null> {
  const heldOut = await data.heldOut(config.training.validation.images);
  if (heldOut === null) return null;
  const { parts, preparation } = options;
  return validationSet(heldOut, {
    batch: parts.batch,
    seed: config.seed,
    labelled: preparation.classes !== null,
    jitter: preparation.jitter,
  });
}

function loop(
  trainer: Trainer,
  request: TrainRequest,
  context: {
    readonly data: RunData;
    readonly set: ValidationSet | null;
    readonly options: TrainerOptions;
    readonly directory: RunDirectory;
  },
): Promise<EndedLoop> {
  const { data, set, options, directory } = context;
  const { validation, checkpoint, log, images } = request.config.training;
  const source = data.open(trainer.imagesSeen);
  const ended = runTraining(trainer, {
    images,
    validation: set === null ? null : { set, everyImages: validation.everyImages ?? Number.POSITIVE_INFINITY },
    checkpoints: {
      folder: directory.checkpoints,
      everyImages: checkpoint.everyImages ?? Number.POSITIVE_INFINITY,
      keep: checkpoint.keep ?? Number.POSITIVE_INFINITY,
    },
    logEveryImages: log.everyImages,
    prepare: (imagesSeen) => prepareStep(source, imagesSeen, options),
    signal: request.signal,
    onEvent(event) {
      appendLog(directory, event);
      request.onEvent(event);
    },
  });
  return ended.then((outcome) => ({ ...outcome, skipped: source.skipped })).finally(() => source.close());
}

interface EndedLoop extends LoopOutcome {
  /** Images that could not be read during training. */
  readonly skipped: number;
}

function estimate(events: readonly ValidationEvent[], imagesSeen: number, samples: number): LossEstimate | null {
  const event = events.findLast((one) => one.imagesSeen === imagesSeen);
  return event === undefined ? null : { loss: event.loss, standardError: event.standardError, samples };
}

/**
 * Trains, or goes on training, until the config's number of images or the signal.
 * @throws ConfigError, DataError for what a user can correct; CheckpointError if the folder is in use or damaged; NumericalError
 *   if the loss is not finite.
 */
export async function train(request: TrainRequest): Promise<TrainOutcome> {
  const { config } = request;
  const directory = openDirectory(request);
  const unlock = lockRun(directory.path);
  let runtime: Runtime | null = null;
  try {
    runtime = await openNativeRuntime(config.runtime);
    writeEnvironment(directory, runtime);
    const data = await openRunData(config);
    const options = trainerOptions(runtime, config, data);
    const set = await heldOutSet(config, data, options);
    const trainer = await createTrainer(options);
    await restore(trainer, directory);
    const ended = await loop(trainer, request, { data, set, options, directory });
    const outcome = await outcomeOf(ended, { config, data, set, options, directory });
    trainer.release();
    writeOutcome(directory, outcome);
    return outcome;
  } finally {
    runtime?.release();
    unlock();
  }
}

interface OutcomeParts {
  readonly config: RunConfig;
  readonly data: RunData;
  readonly set: ValidationSet | null;
  readonly options: TrainerOptions;
  readonly directory: RunDirectory;
}

async function outcomeOf(ended: EndedLoop, { data, set, options, directory }: OutcomeParts): Promise<TrainOutcome> {
  const samples = set?.count ?? 0;
  const validations = readLog(directory).filter((event) => event.kind === 'validation');
  const checkpoint = await latestCheckpoint(directory.checkpoints);
  if (checkpoint === null)
    throw new CheckpointError({
      expected: 'a checkpoint at the end of training',
      got: 'none',
      where: 'experiments/train-run',
    });
  return {
    directory: directory.path,
    imagesSeen: ended.imagesSeen,
    seconds: ended.seconds,
    interrupted: ended.interrupted,
    checkpoint: checkpoint.path,
    parameterCount: parameterCount(options.parts.model.parameters),
    validation: estimate(validations, ended.imagesSeen, samples),
    untrained: estimate(validations, 0, samples),
    constant: set === null ? null : { ...constantPredictorLoss(set, await data.mean()), samples },
    skippedImages: data.skipped + ended.skipped,
  };
}
