/** Trains the run of a config in its folder. */
import { join } from 'node:path';
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import type { Runtime } from '../engine/runtime.ts';
import { CheckpointError } from '../errors.ts';
import { parameterCount } from '../models/parameters.ts';
import { checkpointName, latestCheckpoint } from '../training/checkpoint.ts';
import { type EvaluationEvent, type Evaluations, trackEvaluations } from '../training/evaluation.ts';
import { type LoopOptions, type LoopOutcome, runTraining, type ValidationEvent } from '../training/loop.ts';
import { openSteps, preliminarySteps } from '../training/preparation.ts';
import { createTrainer, type Trainer, type TrainerOptions } from '../training/trainer.ts';
import { constantPredictorLoss, type ValidationSet, validationLoss } from '../training/validation.ts';
import { openCoupling } from './coupling-setup.ts';
import { checkDirectory, holdDirectory, restoreNewest } from './hold-run.ts';
import { withMovedAutoencoder } from './latent-data.ts';
import { openRunData, type RunData } from './run-data.ts';
import {
  appendLog,
  type RunDirectory,
  readLog,
  writeEnvironment,
  writeOutcome,
  writeRunConfig,
} from './run-directory.ts';
import type { LossEstimate, TrainOutcome, TrainRequest } from './run-types.ts';
import { openTarget } from './target-setup.ts';
import { heldOutSet, modelFor, trainerOptions } from './trainer-setup.ts';
import { openTrainingEvaluation, type TrainingEvaluation } from './training-evaluation.ts';

/** A training that is set up, and the folder that it is held in. */
interface PreparedRun {
  readonly request: TrainRequest;
  readonly directory: RunDirectory;
  readonly data: RunData;
  readonly options: TrainerOptions;
  readonly set: ValidationSet | null;
  readonly evaluation: TrainingEvaluation | null;
}

/**
 * Trains, or goes on training, until the config's number of images or the signal.
 * @throws ConfigError, DataError, ShapeError for what a user can correct, and then a new run leaves nothing in its folder;
 *   CheckpointError if the folder is in use or damaged; NumericalError if the loss is not finite.
 */
export async function train(request: TrainRequest): Promise<TrainOutcome> {
  checkDirectory(request);
  const asked = withMovedAutoencoder(request.config, request.directory);
  const data = await openRunData(asked, request);
  try {
    // With what the run keeps of its latent space.
    return await trainOn(data, { ...request, config: { ...asked, latent: data.section } });
  } finally {
    data.release();
  }
}

async function trainOn(data: RunData, request: TrainRequest): Promise<TrainOutcome> {
  const { config } = request;
  const runtime = await openNativeRuntime(config.runtime);
  try {
    const model = modelFor(config, data);
    const target = openTarget(config, data);
    const pairing = openCoupling(config, data);
    try {
      const options = trainerOptions(runtime, config, { model, ...pairing, efm: target.efm });
      const set = await heldOutSet(config, data, options);
      const trainer = await createTrainer(options);
      const evaluation = await openTrainingEvaluation(request, { runtime, data, model, trainer });
      try {
        return await trainHolding(request, { runtime, data, options, set, evaluation }, trainer);
      } finally {
        evaluation?.release();
      }
    } finally {
      await pairing.close();
      await target.close();
    }
  } finally {
    runtime.release();
  }
}

type UnheldRun = Omit<PreparedRun, 'request' | 'directory'> & { readonly runtime: Runtime };

/** Trains in the request's folder, which is this process's meanwhile. */
async function trainHolding(
  request: TrainRequest,
  { runtime, ...parts }: UnheldRun,
  trainer: Trainer,
): Promise<TrainOutcome> {
  const giveBack = holdDirectory(request);
  try {
    const directory = writeRunConfig(request.directory, request.config);
    writeEnvironment(directory, runtime);
    tellCaveats(request);
    return await trainIn({ request, directory, ...parts }, trainer);
  } finally {
    giveBack();
  }
}

/** What a person should know about a config that is sound. */
function tellCaveats({ config: { coupling, model }, onEvent }: TrainRequest): void {
  if (!model.labels || !('perClass' in coupling) || coupling.perClass) return;
  onEvent({
    kind: 'note',
    text: `The model is told labels, and coupling ${coupling.kind} gives each label other noise: samples of a label will be biased. Try coupling.perClass=true.`,
  });
}

async function trainIn(run: PreparedRun, trainer: Trainer): Promise<TrainOutcome> {
  await restoreNewest(trainer, run.directory, {
    preliminaryDone: () => run.options.preparation.coupling.preliminary?.done ?? 0,
    isEvaluationDue: (before, after) => evaluationsOf(run).isDue(before, after),
  });
  const ended = await loop(trainer, run);
  const outcome = await outcomeOf(ended, run);
  writeOutcome(run.directory, outcome);
  return outcome;
}

/** The evaluations of a run that its log tells. */
function evaluationsOf({ directory, evaluation, request }: PreparedRun): Evaluations {
  const { images } = request.config.training;
  return trackEvaluations(evaluation?.options(evaluationEvents(directory)) ?? null, { images });
}

function evaluationEvents(directory: RunDirectory): EvaluationEvent[] {
  return readLog(directory).filter((event) => event.kind === 'evaluation');
}

interface EndedLoop extends LoopOutcome {
  /** Images that could not be read during training. */
  readonly skipped: number;
}

async function loop(trainer: Trainer, run: PreparedRun): Promise<EndedLoop> {
  const { images } = run.request.config.training;
  const steps = openSteps(run.data.open, { imagesSeen: trainer.imagesSeen, images }, run.options);
  try {
    const ended = await runTraining(trainer, { ...loopOptions(trainer, run), prepare: steps.step });
    return { ...ended, skipped: steps.skipped };
  } finally {
    await steps.close();
  }
}

function loopOptions(
  trainer: Trainer,
  { request, directory, data, options, set, evaluation }: PreparedRun,
): Omit<LoopOptions, 'prepare'> {
  const { validation, checkpoint, log, images } = request.config.training;
  const never = Number.POSITIVE_INFINITY;
  const { wholeCost } = options.preparation.coupling;
  return {
    images,
    validation:
      set === null
        ? null
        : {
            measure: () => validationLoss(set, (inputs) => trainer.evaluate(inputs)),
            everyImages: validation.everyImages ?? never,
          },
    ...(evaluation === null ? {} : { evaluation: evaluation.options(evaluationEvents(directory)) }),
    checkpoints: {
      folder: directory.checkpoints,
      everyImages: checkpoint.everyImages ?? never,
      keep: checkpoint.keep ?? never,
    },
    logEveryImages: log.everyImages,
    preliminary: () => preliminarySteps(data.open, options),
    ...(wholeCost === undefined ? {} : { wholeCost }),
    signal: request.signal,
    onEvent(event) {
      appendLog(directory, event);
      request.onEvent(event);
    },
  };
}

function estimate(events: readonly ValidationEvent[], imagesSeen: number, samples: number): LossEstimate | null {
  const event = events.findLast((one) => one.imagesSeen === imagesSeen);
  return event === undefined ? null : { loss: event.loss, standardError: event.standardError, samples };
}

async function outcomeOf(ended: EndedLoop, run: PreparedRun): Promise<TrainOutcome> {
  const { data, set, options, directory } = run;
  const { imagesSeen, seconds, interrupted, stoppedEarly, skipped } = ended;
  const best = evaluationsOf(run).kept;
  const validations = readLog(directory).filter((event) => event.kind === 'validation');
  const checkpoint = await latestCheckpoint(directory.checkpoints);
  if (checkpoint === null) {
    const expected = 'a checkpoint at the end of training';
    throw new CheckpointError({ expected, got: 'none', where: 'experiments/train-run' });
  }
  const samples = set?.count ?? 0;
  // An interrupted run is not kept waiting for the mean of the data.
  const constant = set === null || interrupted ? null : constantPredictorLoss(set, await data.mean());
  return {
    directory: directory.path,
    imagesSeen,
    seconds,
    interrupted,
    stoppedEarly,
    best: best === null ? null : { ...best, checkpoint: join(directory.checkpoints, checkpointName(best.imagesSeen)) },
    checkpoint: checkpoint.path,
    parameterCount: parameterCount(options.parts.model.parameters),
    validation: interrupted ? null : estimate(validations, imagesSeen, samples),
    untrained: estimate(validations, 0, samples),
    constant: constant === null ? null : { ...constant, samples },
    skippedImages: data.skipped + skipped,
  };
}
