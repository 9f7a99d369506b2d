import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import { adam } from '../../src/training/adam.ts';
import { emaBiasCorrection, emaDecayFromHalfLife, emaWeight } from '../../src/training/ema.ts';
import { createTrainer } from '../../src/training/trainer.ts';
import { offsetTrainer, randomBatch } from './offset-model.ts';

const golden = JSON.parse(readFileSync(new URL('../../assets/golden/goldens.json', import.meta.url), 'utf8')).ema;

describe('the weights of averages', () => {
  it('agree with the golden file', () => {
    expect(emaBiasCorrection(0.9999, 100)).toBeCloseTo(golden.raw_k100, 14);
    expect(emaDecayFromHalfLife(512, 500_000)).toBeCloseTo(golden.edm_beta_batch512_halflife500k, 14);
  });

  it('halve over the half-life, whatever the batch size', () => {
    for (const batch of [1, 64, 512]) {
      expect(emaDecayFromHalfLife(batch, 6400) ** (6400 / batch)).toBeCloseTo(0.5, 12);
    }
  });

  it('make of the bias-corrected average the sum from zero divided by its weights', () => {
    const decay = 0.97;
    const values = Array.from({ length: 50 }, (_, i) => Math.sin(i));
    let raw = 0;
    let average = 123;
    values.forEach((value, i) => {
      raw = decay * raw + (1 - decay) * value;
      average += emaWeight({ decay, biasCorrected: true }, i + 1) * (value - average);
      expect(average).toBeCloseTo(raw / (1 - decay ** (i + 1)), 10);
    });
  });

  it('are 1 - decay at every update without correction', () => {
    expect(emaWeight({ decay: 0.9, biasCorrected: false }, 1)).toBeCloseTo(0.1, 14);
    expect(emaWeight({ decay: 0.9, biasCorrected: false }, 1000)).toBeCloseTo(0.1, 14);
  });
});

describe('the average that a trainer keeps', () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await openNativeRuntime({ threads: 1 });
  });
  afterAll(() => runtime.release());

  const names = ['wide', 'square', 'scalar'];
  const optimizer = adam({ betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 });

  // 20,000 features are averaged alone, the other parameters end to end.
  it.each([
    { biasCorrected: true, width: 20_000 },
    { biasCorrected: false, width: 20_000 },
    { biasCorrected: true, width: 6 },
  ])(
    'is the weighted sum of the parameters after each update: $biasCorrected, $width',
    async ({ biasCorrected, width }) => {
      const ema = { decay: 0.8, biasCorrected };
      const trainer = await createTrainer(offsetTrainer(runtime, { width, optimizer, ema, learningRate: 0.1 }));
      for (const name of names) {
        const { [`parameters.${name}`]: parameters, [`ema.${name}`]: average } = await trainer.readState();
        expect(average).toEqual(parameters);
      }
      const averages = new Map<string, Float64Array>();
      const initial = await trainer.readState(names.map((name) => `ema.${name}`));
      // Without correction the starting values have the weight that is left.
      for (const name of names)
        averages.set(
          name,
          Float64Array.from(initial[`ema.${name}`] as Float32Array, (x) => (biasCorrected ? 0 : x)),
        );
      for (let update = 1; update <= 6; update++) {
        await trainer.step([randomBatch(2, width, update).prepared]);
        const state = await trainer.readState();
        for (const name of names) {
          const parameters = state[`parameters.${name}`] as Float32Array;
          const sum = averages.get(name)!.map((value, i) => 0.8 * value + 0.2 * parameters[i]);
          averages.set(name, sum);
          const weights = biasCorrected ? 1 - 0.8 ** update : 1;
          const error = (state[`ema.${name}`] as Float32Array).map((value, i) => Math.abs(value - sum[i] / weights));
          expect(Math.max(...error)).toBeLessThan(1e-6);
        }
      }
      trainer.release();
    },
  );

  it('is what evaluation uses', async () => {
    const { inputs } = randomBatch(2, 6, 0).prepared;
    const losses = async (ema: { decay: number; biasCorrected: boolean } | null) => {
      const trainer = await createTrainer(offsetTrainer(runtime, { optimizer, ema, learningRate: 0.1 }));
      const before = await trainer.evaluate(inputs);
      for (let step = 0; step < 3; step++) await trainer.step([randomBatch(2, 6, step).prepared]);
      const after = await trainer.evaluate(inputs);
      trainer.release();
      return [before, after];
    };
    const [start, frozen] = await losses({ decay: 1 - 1e-9, biasCorrected: false });
    expect(frozen).toEqual(start);
    const [, moved] = await losses(null);
    expect(moved).not.toEqual(start);
    // A decay of 0 forgets all but the newest parameters.
    expect((await losses({ decay: 0, biasCorrected: false }))[1]).toEqual(moved);
  });
});
