import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import type { HostArrays } from '../../src/engine/stepper.ts';
import { NumericalError } from '../../src/errors.ts';
import { adam } from '../../src/training/adam.ts';
import type { PreparedBatch } from '../../src/training/batches.ts';
import { latestCheckpoint } from '../../src/training/checkpoint.ts';
import { createTrainer, type Trainer } from '../../src/training/trainer.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { offsetGradient, offsetTrainer, randomBatch, type TrainerChoice } from './offset-model.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());

const folder = temporaryFolders();
const optimizer = adam({ betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 });
const ema = { decay: 0.9, biasCorrected: true };

async function withTrainer<T>(
  choice: Omit<TrainerChoice, 'optimizer'>,
  use: (trainer: Trainer) => Promise<T>,
): Promise<T> {
  const trainer = await createTrainer(offsetTrainer(runtime, { optimizer, ...choice }));
  try {
    return await use(trainer);
  } finally {
    trainer.release();
  }
}

/** Rows [start, end) of a batch of 6 features. */
function rows({ inputs }: PreparedBatch, start: number, end: number): PreparedBatch {
  const cut = Object.entries(inputs).map(([name, values]) => [
    name,
    values.slice(start * (name === 'time' ? 1 : 6), end * (name === 'time' ? 1 : 6)),
  ]);
  return { inputs: Object.fromEntries(cut) as HostArrays, commit() {} };
}

const saved = (state: HostArrays) => Object.entries(state).filter(([name]) => !name.startsWith('accumulated'));

describe('a step', () => {
  it('reports loss, gradient norm and learning rate of before the update', () =>
    withTrainer({}, async (trainer) => {
      const { prepared, velocity } = randomBatch(2, 6, 0);
      const state = await trainer.readState();
      const values = Object.fromEntries(
        ['wide', 'square', 'scalar'].map((name) => [
          name,
          Float64Array.from(state[`parameters.${name}`] as Float32Array),
        ]),
      );
      const gradients = Object.values(offsetGradient(values, velocity));
      const shift = values.square.reduce((a, b) => a + b) + values.scalar[0];
      const loss = velocity.reduce((sum, v, i) => sum + (values.wide[i % 6] + shift - v) ** 2, 0) / velocity.length;
      const result = await trainer.step([prepared]);
      expect(result.loss).toBeCloseTo(loss, 5);
      expect(result.gradientNorm).toBeCloseTo(Math.hypot(...gradients.map((part) => Math.hypot(...part))), 5);
      expect(result).toMatchObject({ imagesSeen: 2, learningRate: 0.01 });
      expect([trainer.imagesSeen, trainer.updates, trainer.imagesPerStep]).toEqual([2, 1, 2]);
    }));

  it('takes the learning rate of the images seen before it', () => {
    const schedule = (imagesSeen: number) => 1 / (1 + imagesSeen);
    return withTrainer({ schedule, learningRate: 1 }, async (trainer) => {
      const { prepared } = randomBatch(2, 6, 0);
      const rates = [await trainer.step([prepared]), await trainer.step([prepared])].map(
        ({ learningRate }) => learningRate,
      );
      expect(rates).toEqual([1, 1 / 3]);
    });
  });

  it('reports the norm before clipping', () =>
    withTrainer({ clip: 1e-3 }, async (clipped) => {
      const { prepared } = randomBatch(2, 6, 0);
      const norm = await withTrainer({}, async (free) => (await free.step([prepared])).gradientNorm);
      expect((await clipped.step([prepared])).gradientNorm).toBe(norm);
      // First moments over (1 - beta1): the clipped gradient itself.
      const state = await clipped.readState(['wide', 'square', 'scalar'].map((name) => `optimizer.first.${name}`));
      const moments = Object.values(state).flatMap((values) => [...(values as Float32Array)]);
      expect(Math.hypot(...moments)).toBeCloseTo(1e-3, 8);
    }));

  it('calls for the next batch while the engine works', () =>
    withTrainer({}, async (trainer) => {
      const order: string[] = [];
      const step = trainer.step([{ ...randomBatch(2, 6, 0).prepared, commit: () => order.push('commit') }], () =>
        order.push('prepare'),
      );
      expect(order).toEqual(['commit', 'prepare']);
      await step;
    }));
});

describe('gradient accumulation', () => {
  const whole = randomBatch(6, 6, 0).prepared;
  const later = randomBatch(6, 6, 1).prepared;

  it.each([
    { accumulate: 2, batch: 3 },
    { accumulate: 3, batch: 2 },
  ])('of $accumulate batches of $batch equals a batch of 6', async ({ accumulate, batch }) => {
    const parts = (all: PreparedBatch) =>
      Array.from({ length: accumulate }, (_, i) => rows(all, i * batch, (i + 1) * batch));
    const choice = { clip: 0.05, ema };
    const once = await withTrainer({ ...choice, batch: 6 }, async (trainer) => {
      const results = [await trainer.step([whole]), await trainer.step([later])];
      return { results, state: saved(await trainer.readState()) };
    });
    await withTrainer({ ...choice, batch, accumulate }, async (trainer) => {
      const results = [await trainer.step(parts(whole)), await trainer.step(parts(later))];
      for (const [i, result] of results.entries()) {
        expect(result.imagesSeen).toBe(once.results[i].imagesSeen);
        expect(result.loss).toBeCloseTo(once.results[i].loss, 5);
        expect(result.gradientNorm).toBeCloseTo(once.results[i].gradientNorm, 6);
      }
      const state = await trainer.readState();
      for (const [name, values] of once.state) {
        const error = (state[name] as Float32Array).map((value, i) => Math.abs(value - (values as Float32Array)[i]));
        expect(Math.max(...error)).toBeLessThan(1e-6);
      }
    });
  });

  it('leaves empty sums after a step, also after one that failed', () =>
    withTrainer({ batch: 3, accumulate: 2 }, async (trainer) => {
      const sums = async () =>
        Object.entries(await trainer.readState())
          .filter(([name]) => name.startsWith('accumulated'))
          .flatMap(([, values]) => [...(values as Float32Array)]);
      const good = [rows(whole, 0, 3), rows(whole, 3, 6)];
      await trainer.step(good);
      expect((await sums()).every((value) => Object.is(value, 0))).toBe(true);
      const before = saved(await trainer.readState());
      const bad = rows(later, 0, 3);
      (bad.inputs.target as Float32Array)[0] = Number.NaN;
      await expect(trainer.step([rows(later, 0, 3), bad])).rejects.toThrow(NumericalError);
      expect((await sums()).every((value) => Object.is(value, 0))).toBe(true);
      expect(saved(await trainer.readState())).toEqual(before);
      expect((await trainer.step(good)).loss).toBeLessThan(100);
    }));
});

describe('a step that is not finite', () => {
  it('names data that are not finite and leaves the state as it was', () =>
    withTrainer({ ema }, async (trainer) => {
      await trainer.step([randomBatch(2, 6, 0).prepared]);
      const before = await trainer.readState();
      const { prepared } = randomBatch(2, 6, 1);
      (prepared.inputs.target as Float32Array)[3] = Number.POSITIVE_INFINITY;
      const failure = trainer.step([prepared]);
      await expect(failure).rejects.toThrow(NumericalError);
      await expect(failure).rejects.toThrow('NaN or infinity already in input `target`');
      await expect(failure).rejects.toThrow('after 2 images');
      expect(await trainer.readState()).toEqual(before);
      expect([trainer.imagesSeen, trainer.updates]).toEqual([2, 1]);
      // And it can go on.
      const next = await trainer.step([randomBatch(2, 6, 1).prepared]);
      expect(next.imagesSeen).toBe(4);
    }));

  it('names the first operation whose result is not finite', () =>
    withTrainer({ learningRate: 1e25 }, async (trainer) => {
      const { prepared } = randomBatch(2, 6, 0);
      await trainer.step([prepared]);
      // Parameters of 1e25 are finite, their squared errors are not.
      await expect(trainer.step([prepared])).rejects.toThrow(/first in %\d+, the result of call \d+ \(multiply\)/);
    }));

  it('is never saved', () =>
    withTrainer({ learningRate: 1e39 }, async (trainer) => {
      const path = folder();
      await trainer.save(path, { keep: 3 });
      await trainer.step([randomBatch(2, 6, 0).prepared]);
      await expect(trainer.save(path, { keep: 3 })).rejects.toThrow(
        /Expected the state to be finite, to be saved; got (NaN|-?Infinity) in element \d+ of `parameters\.scalar`/,
      );
      expect((await latestCheckpoint(path))?.facts.imagesSeen).toBe(0);
    }));
});

describe('a trainer restored from a checkpoint', () => {
  it('has the same state and goes on in the same way', async () => {
    const path = folder();
    const batches = Array.from({ length: 4 }, (_, i) => [randomBatch(2, 6, i).prepared]);
    const wanted = await withTrainer({ ema }, async (trainer) => {
      for (const batch of batches.slice(0, 2)) await trainer.step(batch);
      await trainer.save(path, { keep: 1 });
      for (const batch of batches.slice(2)) await trainer.step(batch);
      return trainer.readState();
    });
    await withTrainer({ ema }, async (trainer) => {
      await trainer.restore((await latestCheckpoint(path))!);
      expect([trainer.imagesSeen, trainer.updates]).toEqual([4, 2]);
      for (const batch of batches.slice(2)) await trainer.step(batch);
      expect(await trainer.readState()).toEqual(wanted);
    });
  });

  it.each<[string, Omit<TrainerChoice, 'optimizer'>, string]>([
    ['another shape', { width: 7 }, 'Expected tensor `parameters.wide` to be float32 [7]; got Float32Array [6].'],
    ['an average', { ema }, 'Expected tensor `ema.wide` to be float32 [6]; got none.'],
  ])('refuses a checkpoint when it has %s, and keeps its state', async (_what, choice, message) => {
    const path = folder();
    await withTrainer({}, (trainer) => trainer.save(path, { keep: 1 }));
    await withTrainer(choice, async (trainer) => {
      const before = await trainer.readState();
      await expect(trainer.restore((await latestCheckpoint(path))!)).rejects.toThrow(message);
      expect(await trainer.readState()).toEqual(before);
      expect(trainer.imagesSeen).toBe(0);
    });
  });

  it('refuses a checkpoint with tensors that it does not have', async () => {
    const path = folder();
    await withTrainer({ ema }, (trainer) => trainer.save(path, { keep: 1 }));
    await withTrainer({}, async (trainer) => {
      await expect(trainer.restore((await latestCheckpoint(path))!)).rejects.toThrow('got also `ema.');
    });
  });

  it('refuses a checkpoint of another seed', async () => {
    const path = folder();
    await withTrainer({}, (trainer) => trainer.save(path, { keep: 1 }));
    const options = offsetTrainer(runtime, { optimizer });
    const trainer = await createTrainer({ ...options, preparation: { ...options.preparation, seed: 6 } });
    await expect(trainer.restore((await latestCheckpoint(path))!)).rejects.toThrow('Expected seed 6; got 5.');
    trainer.release();
  });
});
