import { describe, expect, it } from 'vitest';
import { NumericalError } from '../../src/errors.ts';
import { type LoopOptions, runTraining, type TrainingEvent } from '../../src/training/loop.ts';
import type { Trainer } from '../../src/training/trainer.ts';
import { validationLoss, validationSet } from '../../src/training/validation.ts';

/** A trainer of 10 images a step that writes down what is asked of it. */
function recorder(start = 0, failAt: number | null = null) {
  const calls: string[] = [];
  let imagesSeen = start;
  const trainer: Trainer = {
    imagesPerStep: 10,
    get imagesSeen() {
      return imagesSeen;
    },
    updates: 0,
    async step(_batches, whileRunning = () => {}) {
      whileRunning();
      if (imagesSeen === failAt) throw new NumericalError('not finite');
      imagesSeen += 10;
      calls.push(`step ${imagesSeen}`);
      return { imagesSeen, loss: 1, gradientNorm: 1, learningRate: 1 };
    },
    async evaluate({ time }) {
      calls.push(`evaluate ${imagesSeen}`);
      return new Float32Array(time.length);
    },
    readState: async () => ({}),
    async save() {
      calls.push(`save ${imagesSeen}`);
      return `path/${imagesSeen}`;
    },
    async restore() {},
    release() {},
  };
  return { trainer, calls };
}

const set = validationSet(
  { target: new Float32Array(2), labels: new Int32Array(2) },
  { batch: 2, seed: 0, labelled: false, jitter: false },
);

function options(trainer: Trainer, change: Partial<LoopOptions> = {}) {
  const events: TrainingEvent[] = [];
  const prepared: number[] = [];
  const loop: LoopOptions = {
    images: 50,
    validation: { measure: () => validationLoss(set, (inputs) => trainer.evaluate(inputs)), everyImages: 20 },
    checkpoints: { folder: 'path', everyImages: 30, keep: 1 },
    logEveryImages: 20,
    async prepare(imagesSeen) {
      prepared.push(imagesSeen);
      return [];
    },
    onEvent: (event) => events.push(event),
    ...change,
  };
  const told = () => events.map(({ kind, imagesSeen }) => `${kind} ${imagesSeen}`);
  return { loop, events, prepared, told };
}

describe('the training loop', () => {
  it('validates and saves at its start, when due and at its end, and tells it', async () => {
    const { trainer, calls } = recorder();
    const { loop, prepared, told } = options(trainer);
    const outcome = await runTraining(trainer, loop);
    expect(calls.join(', ')).toBe(
      'evaluate 0, save 0, step 10, step 20, evaluate 20, step 30, save 30, step 40, evaluate 40, step 50, evaluate 50, save 50',
    );
    expect(told().join(', ')).toBe(
      'validation 0, checkpoint 0, step 20, validation 20, checkpoint 30, step 40, validation 40, step 50, validation 50, checkpoint 50',
    );
    expect(prepared).toEqual([0, 10, 20, 30, 40]);
    expect(outcome).toMatchObject({ imagesSeen: 50, interrupted: false });
  });

  it('goes on in the middle of a run without its start', async () => {
    const { trainer, calls } = recorder(30);
    const { loop } = options(trainer);
    await runTraining(trainer, loop);
    expect(calls.join(', ')).toBe('step 40, evaluate 40, step 50, evaluate 50, save 50');
  });

  it('does nothing at the end of a run', async () => {
    const { trainer, calls } = recorder(50);
    const outcome = await runTraining(trainer, options(trainer).loop);
    expect(calls).toEqual([]);
    expect(outcome).toMatchObject({ imagesSeen: 50, interrupted: false });
  });

  it('ends with a checkpoint after the step in which it is interrupted', async () => {
    const { trainer, calls } = recorder();
    const controller = new AbortController();
    const { loop, told } = options(trainer, { signal: controller.signal });
    const outcome = await runTraining(trainer, {
      ...loop,
      async prepare(imagesSeen) {
        if (imagesSeen === 10) controller.abort();
        return [];
      },
    });
    expect(calls.slice(2)).toEqual(['step 10', 'save 10']);
    expect(told().at(-1)).toBe('checkpoint 10');
    expect(outcome).toMatchObject({ imagesSeen: 10, interrupted: true });
  });

  it('saves no more when a step fails, and passes its error on', async () => {
    const { trainer, calls } = recorder(0, 40);
    await expect(runTraining(trainer, options(trainer).loop)).rejects.toThrow('not finite');
    expect(calls.filter((call) => call.startsWith('save'))).toEqual(['save 0', 'save 30']);
  });

  it('passes on the error of a batch that cannot be prepared, when its turn comes', async () => {
    const { trainer, calls } = recorder();
    const { loop } = options(trainer, {
      async prepare(imagesSeen) {
        if (imagesSeen === 20) throw new Error('unreadable');
        return [];
      },
    });
    await expect(runTraining(trainer, loop)).rejects.toThrow('unreadable');
    expect(calls).toContain('step 20');
  });

  it('runs over its length rather than short of it, and then has no time left', async () => {
    const { trainer } = recorder();
    const { loop, events } = options(trainer, { images: 45, validation: null });
    expect(await runTraining(trainer, loop)).toMatchObject({ imagesSeen: 50, interrupted: false });
    const steps = events.filter((event) => event.kind === 'step');
    expect(steps.at(-1)).toMatchObject({ imagesSeen: 50, images: 45, secondsLeft: 0 });
    expect(events.some(({ kind }) => kind === 'validation')).toBe(false);
  });
});
