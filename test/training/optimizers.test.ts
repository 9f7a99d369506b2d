import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import { type AdamOptions, adam, adamW, radam } from '../../src/training/adam.ts';
import { cosineSchedule } from '../../src/training/schedule.ts';
import { createTrainer } from '../../src/training/trainer.ts';
import { offsetGradient, offsetTrainer, randomBatch, type Values } from './offset-model.ts';
import { paperUpdates } from './optimizers-by-the-papers.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());

const optimizers = { adam, adamw: adamW, radam };
type Kind = keyof typeof optimizers;
const kinds = Object.keys(optimizers) as Kind[];

interface Case {
  readonly width: number;
  readonly clip: number | null;
  readonly options: AdamOptions;
}

const learningRate = 0.01;
const updates = 8;
const batch = 2;

/** Parameters after some updates, by the paper's algorithm, with clipping by the norm over all tensors. */
function byThePaper(kind: Kind, { width, clip, options }: Case, start: Values): Values {
  const names = Object.keys(start);
  const zeros = (name: string) => new Float64Array(start[name].length);
  const theta = Object.fromEntries(names.map((name) => [name, start[name].slice()]));
  const moments = Object.fromEntries(names.map((name) => [name, { m: zeros(name), v: zeros(name) }]));
  for (let t = 1; t <= updates; t++) {
    const gradients = offsetGradient(theta, randomBatch(batch, width, t).velocity);
    const norm = Math.hypot(...names.map((name) => Math.hypot(...gradients[name])));
    const factor = clip === null || norm <= clip ? 1 : clip / norm;
    for (const name of names) {
      const scaled = gradients[name].map((g) => g * factor);
      paperUpdates[kind](theta[name], scaled, { ...moments[name], ...options, t, learningRate });
    }
  }
  return theta;
}

/** Parameters at the start and after the same updates in the runtime. */
async function byTheTrainer(kind: Kind, { width, clip, options }: Case) {
  const trainer = await createTrainer(
    offsetTrainer(runtime, { width, clip, batch, learningRate, optimizer: optimizers[kind](options) }),
  );
  const parameters = async () => {
    const state = await trainer.readState(['parameters.wide', 'parameters.square', 'parameters.scalar']);
    return Object.fromEntries(
      Object.entries(state).map(([name, values]) => [name.slice(11), Float64Array.from(values as Float32Array)]),
    );
  };
  const start = await parameters();
  for (let t = 1; t <= updates; t++) await trainer.step([randomBatch(batch, width, t).prepared]);
  const end = await parameters();
  trainer.release();
  return { start, end };
}

const usual = { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 } as const;
const unusual = { betas: [0.5, 0.9], epsilon: 1e-3, weightDecay: 0.3 } as const;

describe.each(kinds)('%s', (kind) => {
  // 20,000 elements are updated alone beside small ones end to end; 6 elements go with the small ones.
  it.each<Case>([
    { width: 20_000, clip: null, options: usual },
    { width: 20_000, clip: 0.01, options: unusual },
    { width: 6, clip: null, options: unusual },
    { width: 6, clip: 0.1, options: usual },
  ])('makes the updates of its paper: $width features, clip $clip, betas $options.betas', async (one) => {
    const { start, end } = await byTheTrainer(kind, one);
    const wanted = byThePaper(kind, one, start);
    for (const [name, values] of Object.entries(wanted)) {
      const moved = Math.max(...values.map((value, i) => Math.abs(value - start[name][i])));
      const error = Math.max(...values.map((value, i) => Math.abs(value - end[name][i])));
      expect(moved).toBeGreaterThan(learningRate / 10);
      expect(error).toBeLessThan(2e-6);
    }
  });

  it('comes to the known minimum, the mean velocity', async () => {
    const images = 2 * 400;
    const schedule = cosineSchedule({ warmupImages: 0, images, finalFraction: 0 });
    const optimizer = optimizers[kind]({ ...usual, betas: [0.9, 0.99] });
    const trainer = await createTrainer(offsetTrainer(runtime, { batch, optimizer, schedule, learningRate: 0.05 }));
    const { prepared, velocity } = randomBatch(batch, 6, 0);
    let loss = Number.NaN;
    while (trainer.imagesSeen < images) loss = (await trainer.step([prepared])).loss;
    trainer.release();
    const mean = (i: number) => (velocity[i] + velocity[i + 6]) / 2;
    const least = velocity.reduce((sum, v, i) => sum + (v - mean(i % 6)) ** 2, 0) / velocity.length;
    expect(loss).toBeCloseTo(least, 4);
  });
});

it('a step compiles nothing: all sessions exist before the first', async () => {
  let sessions = 0;
  const counting: Runtime = {
    ...runtime,
    createSession: (...given) => {
      sessions += 1;
      return runtime.createSession(...given);
    },
  };
  const trainer = await createTrainer(
    offsetTrainer(counting, { optimizer: adam(usual), ema: { decay: 0.9, biasCorrected: true } }),
  );
  const before = sessions;
  for (let step = 0; step < 3; step++) await trainer.step([randomBatch(batch, 6, step).prepared]);
  await trainer.evaluate(randomBatch(batch, 6, 0).prepared.inputs);
  expect(before).toBe(2);
  expect(sessions).toBe(before);
  trainer.release();
});
