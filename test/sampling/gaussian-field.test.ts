import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { interpret } from '../../src/engine/interpreter.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import { mlp } from '../../src/models/mlp.ts';
import { initializeParameters, parameterTypes } from '../../src/models/parameters.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { stream } from '../../src/numerics/stream.ts';
import { linearPath } from '../../src/path/linear.ts';
import { createSampler } from '../../src/sampling/sampler.ts';
import { SOLVERS } from '../../src/sampling/solvers/solver-table.ts';
import { uniformGrid } from '../../src/sampling/time-grid.ts';
import { adam } from '../../src/training/adam.ts';
import { batchInputs } from '../../src/training/batches.ts';
import { cosineSchedule } from '../../src/training/schedule.ts';
import { createTrainer } from '../../src/training/trainer.ts';
import { predictionGraph } from '../models/model-graphs.ts';
import { plainPreparation } from '../training/plain-preparation.ts';

/** Data N(mean, deviation²), noise N(0, 1). */
const mean = 2;
const deviation = 0.5;

/** E[x1 - x0 | xt = x] for that data, in closed form: xt and x1 - x0 are jointly normal. */
function exactVelocity(x: number, t: number): number {
  const variance = (1 - t) ** 2 + (t * deviation) ** 2;
  return mean + ((t * deviation ** 2 - (1 - t)) / variance) * (x - t * mean);
}

const seed = 1;
const batch = 256;
const images = 2000 * batch;
const model = mlp({ shape: [1], hidden: [64, 64], activation: 'silu', timeFeatures: null, classes: null });
const types = parameterTypes(model.parameters);

async function train(runtime: Runtime): Promise<Record<string, Float32Array>> {
  const options = {
    runtime,
    parts: {
      model,
      parameters: types,
      path: linearPath(),
      optimizer: adam({ betas: [0.9, 0.99], epsilon: 1e-8, weightDecay: 0 }),
      batch,
      clip: 1,
      ema: false,
      accumulate: 1,
    },
    preparation: plainPreparation(seed),
    learningRate: 5e-3,
    schedule: cosineSchedule({ warmupImages: 0, images, finalFraction: 0 }),
    ema: null,
    initial: initializeParameters(model.parameters, seed),
  };
  const trainer = await createTrainer(options);
  while (trainer.imagesSeen < images) {
    const random = stream(seed, 'gaussian-data', trainer.imagesSeen);
    const data = {
      target: Float32Array.from({ length: batch }, () => mean + deviation * random.normal()),
      labels: new Int32Array(batch),
      indices: new Uint32Array(batch),
      flipped: new Uint8Array(batch),
    };
    const { imagesSeen } = trainer;
    const pairing = await options.preparation.coupling.pair(data, { seed, imagesSeen });
    await trainer.step([{ inputs: batchInputs(pairing, imagesSeen, options.preparation), commit() {} }]);
  }
  const state = await trainer.readState(Object.keys(options.initial).map((path) => `parameters.${path}`));
  trainer.release();
  return Object.fromEntries(
    Object.entries(state).map(([name, values]) => [name.slice('parameters.'.length), values as Float32Array]),
  );
}

describe('a network trained on normal data', () => {
  let runtime: Runtime;
  let parameters: Record<string, Float32Array>;
  beforeAll(async () => {
    runtime = await openNativeRuntime({ threads: 1 });
    parameters = await train(runtime);
  });
  afterAll(() => runtime.release());

  it('is measured against a field that agrees with the golden file', () => {
    const golden = JSON.parse(readFileSync(new URL('../../assets/golden/goldens.json', import.meta.url), 'utf8'));
    for (const { m, s, t, x, v } of golden.gaussian_field.cases) {
      expect([m, s]).toEqual([mean, deviation]);
      expect(exactVelocity(x, t)).toBeCloseTo(v, 12);
    }
  });

  it('has learned the exact field where data are', () => {
    const graph = predictionGraph(model, { batch: 200 });
    const random = stream(seed, 'points');
    for (const t of [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9]) {
      const spread = Math.hypot(1 - t, t * deviation);
      const x = Float32Array.from({ length: 200 }, () => t * mean + spread * random.normal());
      const named = Object.entries(parameters).map(([path, values]) => [`p.${path}`, values]);
      const { y } = interpret(graph, { ...Object.fromEntries(named), x, time: new Float32Array(200).fill(t) });
      const errors = y.map((velocity, i) => (velocity - exactVelocity(x[i], t)) ** 2);
      // Against velocities that differ by 1 and more.
      expect(Math.sqrt(errors.reduce((a, b) => a + b) / 200)).toBeLessThan(0.15);
    }
  });

  it('carries each noise to where the exact flow does', async () => {
    const count = 200;
    const sampler = await createSampler(runtime, { model, parameterTypes: types, parameters, batch: count });
    const seeds = Uint32Array.from({ length: count }, (_, i) => i);
    const request = { seeds, labels: null, solver: SOLVERS.rk4, grid: uniformGrid(10), guidance: 1 };
    const noise = normalsFromSeeds(seeds, 1);
    for await (const { latents } of sampler.sample(request)) {
      const errors = latents.map((x, i) => (x - (mean + deviation * noise[i])) ** 2);
      // Against a spread of the data of 0.5.
      expect(Math.sqrt(errors.reduce((a, b) => a + b) / count)).toBeLessThan(0.1);
    }
    sampler.release();
  });
});
