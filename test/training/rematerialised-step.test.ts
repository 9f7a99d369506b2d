import { afterAll, beforeAll, expect, it } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import type { HostArrays } from '../../src/engine/stepper.ts';
import { dit } from '../../src/models/dit.ts';
import type { Rematerialisation } from '../../src/models/layers/rematerialisation.ts';
import { initializeParameters, parameterTypes } from '../../src/models/parameters.ts';
import { unet } from '../../src/models/unet.ts';
import { linearPath } from '../../src/path/linear.ts';
import { adamW } from '../../src/training/adam.ts';
import { constantSchedule } from '../../src/training/schedule.ts';
import { createTrainer } from '../../src/training/trainer.ts';
import { uniforms } from '../models/model-graphs.ts';
import { plainPreparation } from './plain-preparation.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 2 });
});
afterAll(() => runtime.release());

const BATCH = 2;
const shape = [2, 8, 8] as const;

const models = {
  dit: dit({ shape, patch: 2, depth: 2, width: 16, heads: 2, classes: null }),
  unet: unet({
    shape,
    channels: [4, 8],
    blocks: 1,
    attention: [],
    headChannels: 4,
    groups: 2,
    middle: true,
    skips: 'sum',
    resample: 'pooling',
    classes: null,
  }),
};

/** The whole state after two steps, of random batches. */
async function stateAfterSteps(
  name: keyof typeof models,
  choice: { readonly rematerialise: Rematerialisation; readonly accumulate: number },
): Promise<HostArrays> {
  const model = models[name];
  const trainer = await createTrainer({
    runtime,
    parts: {
      model,
      parameters: parameterTypes(model.parameters),
      path: linearPath(),
      optimizer: adamW({ betas: [0.9, 0.99], epsilon: 1e-8, weightDecay: 0.01 }),
      batch: BATCH,
      clip: 1,
      ema: true,
      ...choice,
    },
    preparation: plainPreparation(),
    learningRate: 0.01,
    schedule: constantSchedule({ warmupImages: 0 }),
    ema: { decay: 0.9, biasCorrected: true },
    initial: initializeParameters(model.parameters, 0),
  });
  const batch = (index: number) => {
    const [source, target] = [0, 1].map((part) => uniforms(10 * index + part, BATCH * 2 * 8 * 8));
    return { inputs: { source, target, time: Float32Array.of(0.2, 0.7) }, commit() {} };
  };
  for (let step = 0; step < 2; step++)
    await trainer.step(Array.from({ length: choice.accumulate }, (_, i) => batch(step * choice.accumulate + i)));
  const state = await trainer.readState();
  trainer.release();
  return state;
}

it.each([
  ['dit', 1],
  ['dit', 2],
  ['unet', 1],
  ['unet', 2],
] as const)('a %s in steps of %i batches learns the same bits with less of it kept', async (name, accumulate) => {
  const kept = await stateAfterSteps(name, { rematerialise: 'nothing', accumulate });
  for (const rematerialise of ['cheap', 'blocks'] as const) {
    const again = await stateAfterSteps(name, { rematerialise, accumulate });
    expect(Object.keys(again)).toEqual(Object.keys(kept));
    for (const [tensor, values] of Object.entries(kept))
      expect(Buffer.compare(Buffer.from(again[tensor].buffer), Buffer.from(values.buffer)), tensor).toBe(0);
  }
});
