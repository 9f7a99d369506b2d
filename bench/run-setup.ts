/** A training loop as `train` sets it up from a config, on a runtime that the bench can watch. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Runtime } from '../src/engine/runtime.ts';
import {
  buildCoupling,
  buildEma,
  buildModel,
  buildOptimizer,
  buildPath,
  buildSchedule,
  buildTimeSampling,
} from '../src/experiments/build.ts';
import type { RunConfig } from '../src/experiments/config.ts';
import { openRunData } from '../src/experiments/run-data.ts';
import { initializeParameters, parameterCount, parameterTypes } from '../src/models/parameters.ts';
import { runTraining, type StepEvent } from '../src/training/loop.ts';
import { createTrainer, prepareStep, type TrainerOptions } from '../src/training/trainer.ts';

function optionsFor(runtime: Runtime, config: RunConfig, model: ReturnType<typeof buildModel>): TrainerOptions {
  const { training, seed } = config;
  const path = buildPath(config.path);
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

/**
 * Trains for the config's number of images without validation; checkpoints at the start and the end only.
 * @returns the number of the model's parameters.
 */
export async function trainLoop(
  runtime: Runtime,
  config: RunConfig,
  onStep: (event: StepEvent) => void,
): Promise<number> {
  const data = await openRunData(config);
  const model = buildModel(config.model, { shape: data.shape, classes: data.classes?.length ?? null });
  const options = optionsFor(runtime, config, model);
  const trainer = await createTrainer(options);
  const source = data.open(0);
  const folder = mkdtempSync(join(tmpdir(), 'flowloom-bench-'));
  try {
    await runTraining(trainer, {
      images: config.training.images,
      validation: null,
      checkpoints: { folder, everyImages: Number.POSITIVE_INFINITY, keep: 1 },
      logEveryImages: config.training.log.everyImages,
      prepare: (imagesSeen) => prepareStep(source, imagesSeen, options),
      onEvent: (event) => {
        if (event.kind === 'step') onStep(event);
      },
    });
    return parameterCount(model.parameters);
  } finally {
    await source.close();
    trainer.release();
    rmSync(folder, { recursive: true, force: true });
  }
}
