/** A training loop as `train` sets it up from a config, on a runtime that the bench can watch. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Runtime } from '../src/engine/runtime.ts';
import type { RunConfig } from '../src/experiments/config.ts';
import { openCoupling } from '../src/experiments/coupling-setup.ts';
import { openRunData } from '../src/experiments/run-data.ts';
import { openTarget } from '../src/experiments/target-setup.ts';
import { modelFor, trainerOptions } from '../src/experiments/trainer-setup.ts';
import { parameterCount } from '../src/models/parameters.ts';
import { runTraining, type StepEvent } from '../src/training/loop.ts';
import { openSteps } from '../src/training/preparation.ts';
import { createTrainer } from '../src/training/trainer.ts';

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
  const model = modelFor(config, data);
  const target = openTarget(config, data);
  const pairing = openCoupling(config, data);
  const options = trainerOptions(runtime, config, { model, ...pairing, efm: target.efm });
  const trainer = await createTrainer(options);
  const steps = openSteps(data.open, { imagesSeen: 0, images: config.training.images }, options);
  const folder = mkdtempSync(join(tmpdir(), 'flowloom-bench-'));
  try {
    await runTraining(trainer, {
      images: config.training.images,
      validation: null,
      checkpoints: { folder, everyImages: Number.POSITIVE_INFINITY, keep: 1 },
      logEveryImages: config.training.log.everyImages,
      prepare: steps.step,
      onEvent: (event) => {
        if (event.kind === 'step') onStep(event);
      },
    });
    return parameterCount(model.parameters);
  } finally {
    await steps.close();
    await pairing.close();
    await target.close();
    trainer.release();
    rmSync(folder, { recursive: true, force: true });
  }
}
