import { describe, expect, it } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import { elementCount } from '../../src/engine/shape.ts';
import type { RunConfigInput } from '../../src/experiments/config.ts';
import { openTrainedRun } from '../../src/experiments/trained-run.ts';
import { adam } from '../../src/training/adam.ts';
import { readCheckpoint } from '../../src/training/checkpoint.ts';
import { createTrainer } from '../../src/training/trainer.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { smallConfig, trained } from '../experiments/small-runs.ts';
import { offsetTrainer, randomBatch } from './offset-model.ts';

const folder = temporaryFolders();

async function stateAfter(kind: 'points' | 'pictures', sections: Partial<RunConfigInput>, training: object) {
  const directory = folder();
  const config = smallConfig(kind, {
    ...sections,
    training: { ...training, validation: { everyImages: null, images: 4 } },
  });
  const { outcome } = await trained(directory, config);
  const { checkpoint } = await openTrainedRun(directory);
  return { outcome, state: await readCheckpoint(checkpoint) };
}

/** Bytes of float32 that a trainer's state takes, and what it does with a batch that is not finite. */
async function trainerOf(inPlace: boolean, clip: number | null) {
  const runtime = await openNativeRuntime({ threads: 1 });
  let bytes = 0;
  const counting: Runtime = {
    ...runtime,
    allocate(spec, options) {
      if (/^(parameters|ema|optimizer)\./.test(spec.name)) bytes += 4 * elementCount(spec.shape);
      return runtime.allocate(spec, options);
    },
  };
  const ema = { decay: 0.9, biasCorrected: true };
  const optimizer = adam({ betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 });
  const trainer = await createTrainer(offsetTrainer(counting, { optimizer, ema, clip, inPlace }));
  const stateBytes = bytes;
  const { prepared } = randomBatch(2, 6, 0);
  (prepared.inputs.target as Float32Array)[3] = Number.POSITIVE_INFINITY;
  const failure = await trainer.step([prepared]).catch((error: Error) => error);
  trainer.release();
  runtime.release();
  return { stateBytes, failure: String(failure) };
}

describe('steps that write over the state', () => {
  const unet = {
    kind: 'unet',
    patch: 8,
    channels: [8, 8],
    blocks: 1,
    attention: [1],
    headChannels: 4,
    groups: 2,
  } as const;
  it.each([
    ['an MLP', 'points', {}, { images: 320 }],
    ['a U-Net', 'pictures', { model: unet }, {}],
    ['a transformer, with gradients in parts', 'pictures', {}, { batchSize: 2, accumulate: 2 }],
    ['RAdam without a limit of the gradient', 'points', {}, { images: 320, optimizer: { kind: 'radam' }, clip: null }],
    ['no average', 'points', {}, { images: 320, ema: null }],
  ] as const)('give the same bits: %s', async (_name, kind, sections, training) => {
    const beside = await stateAfter(kind, sections, training);
    const over = await stateAfter(kind, sections, { ...training, inPlace: true });
    expect(over.state).toEqual(beside.state);
    expect(over.outcome.validation).toEqual(beside.outcome.validation);
  });

  it('need half the memory, and cannot say where a value that is not finite came from', async () => {
    const [beside, over] = [await trainerOf(false, 1), await trainerOf(true, 1)];
    expect(over.stateBytes).toBe(beside.stateBytes / 2);
    expect(beside.failure).toContain('NaN or infinity already in input `target`');
    expect(over.failure).toMatch(/steps write in place.*training.inPlace=false/);
  });
});
