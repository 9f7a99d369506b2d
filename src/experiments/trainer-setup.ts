/** What a config's training is made of. */
import type { Runtime } from '../engine/runtime.ts';
import { ConfigError } from '../errors.ts';
import type { Model } from '../models/model.ts';
import { initialValues, parameterTypes } from '../models/parameters.ts';
import type { StepParts } from '../training/step.ts';
import type { TrainerOptions } from '../training/trainer.ts';
import { type ValidationSet, validationSet } from '../training/validation.ts';
import { buildEma, buildModel, buildOptimizer, buildPath, buildSchedule, buildTimeSampling } from './build.ts';
import type { RunConfig } from './config.ts';
import type { CouplingSetup } from './coupling-setup.ts';
import type { RunData } from './run-data.ts';
import type { TargetSetup } from './target-setup.ts';

/** The network for a config and its data. @throws ConfigError if they do not fit together. */
export function modelFor(
  { model, sampling }: RunConfig,
  { shape, classes }: Pick<RunData, 'shape' | 'classes'>,
): Model {
  const built = buildModel(model, { shape, classes: classes?.length ?? null });
  // Asked for before hours of training rather than after them.
  if (sampling.guidance === null || sampling.guidance === 1 || built.classes !== null) return built;
  throw new ConfigError({
    expected: 'data with labels, as `sampling.guidance` is set',
    got: 'data without',
    where: 'experiments/trainer-setup',
    remedy: '`sampling.guidance` null',
  });
}

/** What depends on the data. */
export type TrainingParts = Pick<CouplingSetup, 'coupling' | 'pairingSteps'> &
  Pick<TargetSetup, 'efm'> & { readonly model: Model };

/** What a config's step consists of. @param corrected  whether batches bring corrections of the velocity. */
export function stepParts(
  { path, training }: RunConfig,
  { model, corrected }: { readonly model: Model; readonly corrected: boolean },
): StepParts {
  return {
    model,
    path: buildPath(path),
    parameters: parameterTypes(model.parameters),
    optimizer: buildOptimizer(training.optimizer),
    batch: training.batchSize,
    clip: training.clip,
    ema: training.ema !== null,
    accumulate: training.accumulate,
    corrected,
    rematerialise: training.rematerialise,
    precision: training.precision,
  };
}

/** Everything that a trainer is made of. */
export function trainerOptions(
  runtime: Runtime,
  config: RunConfig,
  { model, coupling, pairingSteps, efm }: TrainingParts,
): TrainerOptions {
  const parts = stepParts(config, { model, corrected: efm !== null });
  const { training, seed } = config;
  return {
    runtime,
    parts,
    preparation: {
      coupling,
      pairingSteps,
      time: buildTimeSampling(config.time),
      efm,
      classes: model.classes,
      labelDropout: training.labelDropout,
      jitter: parts.path.sigma > 0,
      seed,
    },
    learningRate: training.optimizer.learningRate,
    schedule: buildSchedule(training),
    ema: buildEma(training),
    initial: initialValues(model.parameters, seed),
    inPlace: training.inPlace,
  };
}

/** The config's validation set; `null` if its data hold nothing out. */
export async function heldOutSet(
  { training, seed }: RunConfig,
  data: RunData,
  { parts, preparation }: TrainerOptions,
): Promise<ValidationSet | null> {
  const heldOut = await data.heldOut(training.validation.images);
  if (heldOut === null) return null;
  const labelled = preparation.classes !== null;
  return validationSet(heldOut, { batch: parts.batch, seed, labelled, jitter: preparation.jitter });
}
