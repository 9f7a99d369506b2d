import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import { klImageAutoencoder, vqAutoencoder } from '../../src/models/image-autoencoder.ts';
import { initializeParameters, parameterTypes } from '../../src/models/parameters.ts';
import { patchDiscriminator } from '../../src/models/patch-discriminator.ts';
import { stream } from '../../src/numerics/stream.ts';
import { adam } from '../../src/training/adam.ts';
import type { AutoencoderStepParts } from '../../src/training/autoencoder-step.ts';
import {
  type AutoencoderTrainerOptions,
  createAutoencoderTrainer,
  pictureBatch,
} from '../../src/training/autoencoder-trainer.ts';
import { constantSchedule } from '../../src/training/schedule.ts';

const sizes = {
  shape: [1, 8, 8] as const,
  channels: 4,
  multipliers: [1],
  blocks: 1,
  attentionResolutions: [],
  latentChannels: 2,
  groups: 2,
};
const vq = vqAutoencoder({ ...sizes, codes: 8, commitment: 0.25 });
const discriminator = patchDiscriminator({ inputs: 1, channels: 4, layers: 1 });
const adversary = {
  network: discriminator,
  parameters: parameterTypes(discriminator.parameters),
  weight: 0.5,
  largest: 1e4,
};

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());

type Change = Partial<Omit<AutoencoderTrainerOptions, 'parts'>> & { readonly parts?: Partial<AutoencoderStepParts> };

function trainerOf({ parts = {}, ...change }: Change = {}) {
  const network = parts.network ?? vq;
  return createAutoencoderTrainer({
    runtime,
    parts: {
      network,
      parameters: parameterTypes(network.parameters),
      optimizer: adam({ betas: [0.9, 0.99], epsilon: 1e-8, weightDecay: 0 }),
      batch: 2,
      accumulate: 1,
      clip: 2,
      ema: true,
      pixel: 'l1',
      perceptual: null,
      adversary: null,
      latents: false,
      ...parts,
    },
    learningRate: 1e-2,
    discriminatorLearningRate: 1e-2,
    schedule: constantSchedule({ warmupImages: 0 }),
    ema: { decay: 0.9, biasCorrected: true },
    adversarialStart: 0,
    revival: null,
    seed: 3,
    initial: initializeParameters(network.parameters, 1),
    discriminatorInitial: parts.adversary == null ? null : initializeParameters(discriminator.parameters, 2),
    ...change,
  });
}

/** Smooth pictures: a slope in a direction drawn for each. */
function pixelsOf(count: number, index = 0): Uint8Array {
  const random = stream(11, 'slopes', index);
  const pictures = Array.from({ length: count }, () => {
    const [dx, dy] = [random.uniform() * 2 - 1, random.uniform() * 2 - 1];
    return Array.from({ length: 64 }, (_, i) => 128 + 16 * (dx * ((i % 8) - 3.5) + dy * (Math.floor(i / 8) - 3.5)));
  });
  return Uint8Array.from(pictures.flat());
}

describe('the training of an autoencoder', () => {
  it('brings pictures nearer to themselves', async () => {
    const trainer = await trainerOf({ parts: { batch: 8 } });
    const pixels = pixelsOf(8);
    const mean = async () => (await trainer.reconstruct(pixels)).losses.reduce((sum, one) => sum + one, 0) / 8;
    const before = await mean();
    for (let i = 0; i < 60; i++) await trainer.step([pictureBatch(pixels)]);
    expect(await mean()).toBeLessThan(before / 2);
    trainer.release();
  });

  it.each([1, 2])('is the same to the bit where steps of %i batches take less memory', async (accumulate) => {
    const parts = { accumulate, adversary };
    const beside = await trainerOf({ parts });
    const others = [
      await trainerOf({ parts, inPlace: true }),
      await trainerOf({ parts: { ...parts, recompute: true } }),
    ];
    for (let step = 0; step < 3; step++) {
      const batches = Array.from({ length: accumulate }, (_, i) => pictureBatch(pixelsOf(2, step * accumulate + i)));
      const told = await beside.step(batches);
      for (const other of others) expect(await other.step(batches)).toEqual(told);
    }
    const state = await beside.readState();
    for (const other of others) expect(await other.readState()).toEqual(state);
    for (const trainer of [beside, ...others]) trainer.release();
  });

  it('is that of one batch where gradients of two halves are accumulated', async () => {
    const whole = await trainerOf({ parts: { batch: 4 } });
    const halves = await trainerOf({ parts: { batch: 2, accumulate: 2 } });
    const pixels = pixelsOf(4);
    const one = await whole.step([pictureBatch(pixels)]);
    const two = await halves.step([pictureBatch(pixels.subarray(0, 128)), pictureBatch(pixels.subarray(128))]);
    expect(two.loss).toBeCloseTo(one.loss, 5);
    expect(two.gradientNorm / one.gradientNorm).toBeCloseTo(1, 4);
    const names = Object.keys(await whole.readState()).filter((key) => key.startsWith('optimizer.'));
    expect(names.length).toBeGreaterThan(0);
    const [a, b] = [await whole.readState(names), await halves.readState(names)];
    for (const key of names)
      for (const [i, value] of a[key].entries()) expect(Number(b[key][i])).toBeCloseTo(Number(value), 4);
    whole.release();
    halves.release();
  });

  it('is the same with and without a discriminator until that starts, bit by bit', async () => {
    const alone = await trainerOf();
    const judged = await trainerOf({ parts: { adversary }, adversarialStart: 4 });
    const own = Object.keys(await alone.readState());
    const states = async () => [await alone.readState(own), await judged.readState(own)];
    const theirs = (await judged.readState(['discriminator.parameters.input.weight']))[
      'discriminator.parameters.input.weight'
    ];
    for (let step = 0; step < 2; step++) {
      for (const trainer of [alone, judged]) await trainer.step([pictureBatch(pixelsOf(2, step))]);
    }
    const [a, b] = await states();
    expect(b).toEqual(a);
    const unchanged = await judged.readState(['discriminator.parameters.input.weight']);
    expect(unchanged['discriminator.parameters.input.weight']).toEqual(theirs);
    const [, result] = await Promise.all(
      [alone, judged].map((trainer) => trainer.step([pictureBatch(pixelsOf(2, 2))])),
    );
    expect(Object.keys(result.terms!)).toEqual([
      'pixel',
      'bottleneck',
      'adversarial',
      'adversarialWeight',
      'discriminator',
    ]);
    const [c, d] = await states();
    expect(d).not.toEqual(c);
    const changed = await judged.readState(['discriminator.parameters.input.weight']);
    expect(changed['discriminator.parameters.input.weight']).not.toEqual(theirs);
    alone.release();
    judged.release();
  });

  it('weighs the adversary by the gradients, times a factor and up to a limit', async () => {
    const weightOf = async (change: Partial<typeof adversary>) => {
      const trainer = await trainerOf({ parts: { adversary: { ...adversary, ...change } } });
      const { loss, terms } = await trainer.step([pictureBatch(pixelsOf(2))]);
      trainer.release();
      const { pixel, bottleneck, adversarial, adversarialWeight } = terms!;
      expect(loss).toBeCloseTo(pixel + bottleneck + adversarialWeight * adversarial, 5);
      return adversarialWeight;
    };
    const half = await weightOf({ weight: 0.5 });
    expect(half).toBeGreaterThan(0);
    expect((await weightOf({ weight: 1 })) / half).toBeCloseTo(2, 5);
    expect(await weightOf({ weight: 0.5, largest: half })).toBeCloseTo(half / 2, 5);
  });

  it('puts latents in the place of codes that nothing has chosen, and forgets their moments', async () => {
    const revival = { everyImages: 4, least: 1, untilImages: 4 };
    const trainer = await trainerOf({ parts: { latents: true }, revival });
    const first = await trainer.step([pictureBatch(pixelsOf(2))]);
    expect(first.codes!.revived).toBe(0);
    const second = await trainer.step([pictureBatch(pixelsOf(2))]);
    const dead = second.codes!.revived;
    expect(dead).toBeGreaterThan(0);
    expect(dead).toBeLessThanOrEqual(8 - second.codes!.used);
    const state = (await trainer.readState()) as Record<string, Float32Array>;
    const moment = Object.keys(state).filter((name) => name.startsWith('optimizer.') && name.endsWith('codebook'));
    expect(moment.length).toBe(2);
    const rows = Array.from({ length: 8 }, (_, code) => code).filter((code) =>
      moment.every((name) => state[name].subarray(2 * code, 2 * code + 2).every((value) => value === 0)),
    );
    expect(rows.length).toBe(dead);
    for (const code of rows) {
      expect(state['ema.codebook'].subarray(2 * code, 2 * code + 2)).toEqual(
        state['parameters.codebook'].subarray(2 * code, 2 * code + 2),
      );
    }
    await trainer.step([pictureBatch(pixelsOf(2))]);
    const late = await trainer.step([pictureBatch(pixelsOf(2))]);
    expect(late.codes!.revived).toBe(0);
    trainer.release();
  });

  it('draws the latents of a KL autoencoder by seed and images seen, and reconstructs from means', async () => {
    const network = klImageAutoencoder({ ...sizes, divergence: 1e-6 });
    const parts = { network, parameters: parameterTypes(network.parameters) };
    const initial = initializeParameters(network.parameters, 1);
    const losses = async (seed: number) => {
      const trainer = await trainerOf({ parts, initial, seed });
      const results = [await trainer.reconstruct(pixelsOf(2)), await trainer.reconstruct(pixelsOf(2))];
      expect(results[1]).toEqual(results[0]);
      expect(results[0].indices).toBeNull();
      const told = [];
      for (let i = 0; i < 2; i++) told.push((await trainer.step([pictureBatch(pixelsOf(2))])).loss);
      trainer.release();
      return told;
    };
    const [one, same, other] = [await losses(3), await losses(3), await losses(4)];
    expect(same).toEqual(one);
    expect(other[0]).not.toBe(one[0]);
  });

  it('stops at a value that is not finite, names it, and leaves the state as it was', async () => {
    const initial = initializeParameters(vq.parameters, 1);
    const broken = { ...initial, 'decoder.output.bias': Float32Array.of(Number.NaN) };
    const trainer = await trainerOf({ initial: broken });
    const before = await trainer.readState();
    await expect(trainer.step([pictureBatch(pixelsOf(2))])).rejects.toThrow('to be finite after 0 images');
    expect(await trainer.readState()).toEqual(before);
    expect(trainer.imagesSeen).toBe(0);
    trainer.release();
  });
});
