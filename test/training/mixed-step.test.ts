/** Steps in mixed precision. ONNX Runtime's CPU provider converts float16 for its kernels: slow, and right. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import type { HostArrays } from '../../src/engine/stepper.ts';
import { CheckpointError, ConfigError, NumericalError } from '../../src/errors.ts';
import { dit } from '../../src/models/dit.ts';
import { mlp } from '../../src/models/mlp.ts';
import type { Model } from '../../src/models/model.ts';
import { initializeParameters, parameterTypes } from '../../src/models/parameters.ts';
import { stream } from '../../src/numerics/stream.ts';
import { linearPath } from '../../src/path/linear.ts';
import { adamW } from '../../src/training/adam.ts';
import type { PreparedBatch } from '../../src/training/batches.ts';
import { latestCheckpoint } from '../../src/training/checkpoint.ts';
import type { LossScale } from '../../src/training/loss-scale.ts';
import { constantSchedule } from '../../src/training/schedule.ts';
import { accumulateGraph, type Precision, type StepParts, stepGraph } from '../../src/training/step.ts';
import { stepMemory } from '../../src/training/step-memory.ts';
import { createTrainer, type Trainer, type TrainerOptions } from '../../src/training/trainer.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { plainPreparation } from './plain-preparation.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());
const folder = temporaryFolders();

const points = mlp({ shape: [2], hidden: [32, 32], activation: 'silu', timeFeatures: 8, classes: null });
const pictures = dit({ shape: [1, 4, 4], patch: 2, depth: 1, width: 16, heads: 2, classes: null });

interface Choice {
  readonly precision?: Precision;
  readonly batch?: number;
  readonly accumulate?: number;
  readonly lossScale?: LossScale;
  readonly runtime?: Runtime;
  readonly inPlace?: boolean;
}

function partsOf(model: Model, { precision = 'mixed', batch = 16, accumulate = 1 }: Choice = {}): StepParts {
  return {
    model,
    parameters: parameterTypes(model.parameters),
    path: linearPath(),
    optimizer: adamW({ betas: [0.9, 0.99], epsilon: 1e-8, weightDecay: 0.01 }),
    batch,
    clip: 1,
    ema: true,
    accumulate,
    precision,
  };
}

function optionsOf(model: Model, choice: Choice): TrainerOptions {
  return {
    runtime,
    ...choice,
    parts: partsOf(model, choice),
    preparation: plainPreparation(),
    learningRate: 3e-3,
    schedule: constantSchedule({ warmupImages: 0 }),
    ema: { decay: 0.9, biasCorrected: true },
    initial: initializeParameters(model.parameters, 0),
  };
}

async function withTrainer<T>(model: Model, choice: Choice, use: (trainer: Trainer) => Promise<T>): Promise<T> {
  const trainer = await createTrainer(optionsOf(model, choice));
  try {
    return await use(trainer);
  } finally {
    trainer.release();
  }
}

/** Data near one point, as rows of any width. */
function batchOf(model: Model, index: number, rows = 16): PreparedBatch {
  const random = stream(3, 'batch', index);
  const width = model.input.shape.reduce((product, size) => product * size, 1);
  const source = Float32Array.from({ length: rows * width }, () => random.normal());
  const target = source.map((_, i) => 2 * Math.cos(i % width) + 0.1 * random.normal());
  return { inputs: { source, target, time: Float32Array.from({ length: rows }, () => random.uniform()) }, commit() {} };
}

const saved = (state: HostArrays) => Object.entries(state).filter(([name]) => !name.startsWith('accumulated'));

describe('training in mixed precision', () => {
  it.each([
    ['MLP', points, 200],
    ['DiT', pictures, 60],
  ] as const)('of a small %s reaches the loss of float32', async (_name, model, steps) => {
    const losses = async (precision: Precision) =>
      withTrainer(model, { precision }, async (trainer) => {
        const all: number[] = [];
        for (let step = 0; step < steps; step++) all.push((await trainer.step([batchOf(model, step)])).loss);
        return all;
      });
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [mixed, exact] = [await losses('mixed'), await losses('float32')];
    // The same batches and the same start: both go the same way.
    expect(Math.abs(mixed[0] / exact[0] - 1)).toBeLessThan(2 ** -9);
    const [end, wanted] = [mean(mixed.slice(-20)), mean(exact.slice(-20))];
    expect(wanted).toBeLessThan(0.8 * exact[0]);
    expect(Math.abs(end / wanted - 1)).toBeLessThan(0.02);
    expect(mixed).not.toEqual(exact);
  });

  it('keeps parameters, moments and average in float32, finer than float16', () =>
    withTrainer(points, {}, async (trainer) => {
      await trainer.step([batchOf(points, 0)]);
      const state = saved(await trainer.readState());
      expect(state.every(([, values]) => values instanceof Float32Array)).toBe(true);
      const [weights] = Object.values(await trainer.readState(['parameters.layers.0.weight']));
      // float16 has 10 binary digits after the first one.
      const digits = Array.from(weights as Float32Array, (value) => (Math.abs(value) / 2 ** -24) % 1);
      expect(digits.some((rest) => rest !== 0)).toBe(true);
    }));

  it('evaluates in float32', async () => {
    const evaluated = (precision: Precision) =>
      withTrainer(points, { precision }, (trainer) => trainer.evaluate(batchOf(points, 1).inputs));
    expect(await evaluated('mixed')).toEqual(await evaluated('float32'));
  });

  it('of two batches is that of one of twice the rows', async () => {
    const whole = batchOf(points, 0, 16);
    const half = (start: number): PreparedBatch => {
      const { source, target, time } = whole.inputs;
      const inputs = {
        source: source.slice(2 * start, 2 * start + 16),
        target: target.slice(2 * start, 2 * start + 16),
      };
      return { inputs: { ...inputs, time: time.slice(start, start + 8) }, commit() {} };
    };
    const once = await withTrainer(points, {}, (trainer) => trainer.step([whole]));
    const twice = await withTrainer(points, { batch: 8, accumulate: 2 }, (trainer) => trainer.step([half(0), half(8)]));
    expect(twice.loss / once.loss - 1).toBeCloseTo(0, 3);
    expect(twice.gradientNorm / once.gradientNorm - 1).toBeCloseTo(0, 2);
    expect(twice.lossScale).toEqual(once.lossScale);
  });

  it('is estimated to take less memory between its inputs and outputs', () => {
    const bytes = (precision: Precision) => stepMemory(partsOf(pictures, { precision, batch: 64 })).betweenBytes;
    expect(bytes('mixed')).toBeLessThan(0.9 * bytes('float32'));
  });

  it('needs float16 of the runtime, and says what it lacks', async () => {
    const without: Runtime = {
      ...runtime,
      provider: 'cpu',
      createSession: () => Promise.reject(new Error('requires f16 but the device does not support it')),
    };
    const failure = createTrainer(optionsOf(points, { runtime: without }));
    await expect(failure).rejects.toThrow(ConfigError);
    await expect(failure).rejects.toThrow(/for `training.precision` mixed; got "requires f16 .*shader-f16/);
  });
});

describe('a gradient that overflows', () => {
  /** Under it, gradients of this loss are beyond float16, and far from the end of float32. */
  const huge: LossScale = { value: 2 ** 40, goodSteps: 7, skipped: 0 };

  it.each([1, 2])('is skipped and made again with half the scale, of %i batches', async (accumulate) => {
    const batches = Array.from({ length: accumulate }, (_, i) => batchOf(points, i));
    const run = (lossScale?: LossScale) =>
      withTrainer(points, { accumulate, ...(lossScale === undefined ? {} : { lossScale }) }, async (trainer) => {
        let prepared = 0;
        const result = await trainer.step(batches, () => {
          prepared += 1;
        });
        expect(prepared).toBe(1);
        expect([trainer.updates, trainer.imagesSeen]).toEqual([1, 16 * accumulate]);
        return { ...result, state: saved(await trainer.readState()) };
      });
    const [usual, skipping] = [await run(), await run(huge)];
    const { value, skipped } = skipping.lossScale!;
    // Gradients of order 1 reach the end of float16 near 2^16.
    expect(skipped).toBeGreaterThan(10);
    expect(skipped).toBeLessThan(30);
    expect(value).toBe(2 ** (40 - skipped));
    expect(skipping.loss).toBe(usual.loss);
    // The update that is made at last is one under another scale: no trace of those that were skipped.
    for (const [i, [name, values]] of usual.state.entries()) {
      const made = skipping.state[i][1] as Float32Array;
      const error = Math.max(...(values as Float32Array).map((one, k) => Math.abs(one - made[k])));
      expect(error, name).toBeLessThan(name.startsWith('optimizer.') ? 0.01 : 1e-3);
    }
  });

  it('whatever the scale ends the run, which stays as it was', () =>
    withTrainer(points, { lossScale: { value: 4, goodSteps: 7, skipped: 0 } }, async (trainer) => {
      await trainer.step([batchOf(points, 0)]);
      const before = await trainer.readState();
      const batch = batchOf(points, 1);
      // The loss is finite in float32, and its gradient too large for float16 even without a factor.
      (batch.inputs.target as Float32Array).fill(1e9);
      const failure = trainer.step([batch]);
      await expect(failure).rejects.toThrow(NumericalError);
      await expect(failure).rejects.toThrow(/NaN or infinity first in .*training\.precision float32/);
      expect(await trainer.readState()).toEqual(before);
      const next = await trainer.step([batchOf(points, 2)]);
      expect(next.lossScale).toEqual({ value: 4, skipped: 0 });
    }));

  it('cannot be skipped where steps write in place', () =>
    withTrainer(points, { lossScale: huge, inPlace: true }, async (trainer) => {
      await expect(trainer.step([batchOf(points, 0)])).rejects.toThrow(/steps write in place/);
    }));

  it('is not what a loss that is not finite is taken for', () =>
    withTrainer(points, { lossScale: { value: 64, goodSteps: 0, skipped: 0 } }, async (trainer) => {
      const batch = batchOf(points, 1);
      (batch.inputs.target as Float32Array)[3] = Number.NaN;
      await expect(trainer.step([batch])).rejects.toThrow('NaN or infinity already in input `target`');
      expect((await trainer.step([batchOf(points, 2)])).lossScale).toEqual({ value: 64, skipped: 0 });
    }));
});

describe('a trainer in mixed precision restored from a checkpoint', () => {
  it.each([1, 2])('goes on bit by bit, its loss scale too, with steps of %i batches', async (accumulate) => {
    const path = folder();
    // The first step skips many updates.
    const lossScale: LossScale = { value: 2 ** 40, goodSteps: 0, skipped: 0 };
    const step = (index: number) =>
      Array.from({ length: accumulate }, (_, i) => batchOf(pictures, index * accumulate + i));
    const choice = { accumulate, lossScale };
    const finish = async (trainer: Trainer) => {
      const results = [await trainer.step(step(2)), await trainer.step(step(3))];
      return { results, state: saved(await trainer.readState()) };
    };
    const wanted = await withTrainer(pictures, choice, async (trainer) => {
      await trainer.step(step(0));
      await trainer.step(step(1));
      await trainer.save(path, { keep: 1 });
      return finish(trainer);
    });
    const resumed = await withTrainer(pictures, { accumulate }, async (trainer) => {
      await trainer.restore((await latestCheckpoint(path))!);
      return finish(trainer);
    });
    expect(wanted.results[0].lossScale?.skipped).toBeGreaterThan(0);
    expect(resumed).toEqual(wanted);
  });

  it('refuses one of float32, and the other way round', async () => {
    const [plain, mixed] = [folder(), folder()];
    const write = (path: string, precision: Precision) =>
      withTrainer(points, { precision }, (trainer) => trainer.save(path, { keep: 1 }));
    await write(plain, 'float32');
    await write(mixed, 'mixed');
    const restore = (path: string, precision: Precision) =>
      withTrainer(points, { precision }, async (trainer) => trainer.restore((await latestCheckpoint(path))!));
    await expect(restore(plain, 'mixed')).rejects.toThrow(CheckpointError);
    await expect(restore(plain, 'mixed')).rejects.toThrow(/loss scale of mixed precision/);
    await expect(restore(mixed, 'float32')).rejects.toThrow(/also `lossScale\./);
  });
});

describe('graphs of a step', () => {
  const inputs = (graph: { readonly inputs: readonly { readonly name: string }[] }) =>
    graph.inputs.map(({ name }) => name);

  it('take a loss scale in mixed precision only', () => {
    expect(inputs(stepGraph(partsOf(points)))).toContain('lossScale');
    expect(inputs(accumulateGraph(partsOf(points, { accumulate: 2 })))).toContain('lossScale');
    expect(inputs(stepGraph(partsOf(points, { precision: 'float32' })))).not.toContain('lossScale');
  });
});
