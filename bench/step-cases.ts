/** The networks whose training steps are measured. */

import { internalError } from '../src/errors.ts';
import { readConfig } from '../src/experiments/read-config.ts';
import { admUnetOptions, admUnets } from '../src/models/adm-unet.ts';
import { unetPresets } from '../src/models/unet.ts';
import { vqVaes } from '../src/models/vq-vae.ts';
import type { AutoencoderStepSpec, FlowStepSpec, StepSpec } from './training-step.ts';

const adam = { learningRate: 1e-4, betas: [0.9, 0.999] } as const;

/** Width 384, 6 heads, 4 blocks, 256 tokens. */
export const dit384x4: FlowStepSpec = {
  kind: 'dit',
  options: { shape: [4, 32, 32], patch: 2, width: 384, depth: 4, heads: 6, mlpRatio: 4, classes: null },
  batch: 8,
  ...adam,
};

/** DiT-S/2 [peebles:23]: 12 blocks of width 384, on 4 x 32 x 32 latents. */
export const ditS2: FlowStepSpec = { ...dit384x4, options: { ...dit384x4.options, depth: 12 } };

/** The network of [davtyan:25] for CIFAR-10. */
function admCifar10(): FlowStepSpec {
  const adm = admUnetOptions({ ...admUnets.cifar10, classes: null });
  const { name: _name, features: _features, timeFeatures: _timeFeatures, ...options } = adm;
  return { kind: 'unet', options: { ...options, patch: 1 }, batch: 16, ...adam };
}

/** The autoencoder of [briq:26] on pictures of a side. */
function vqVaeF8(side: number): AutoencoderStepSpec {
  return { kind: 'vq-vae', options: { ...vqVaes.f8, shape: [3, side, side] }, batch: 4, ...adam };
}

/** 128 channels, [1, 2, 2, 2], 2 blocks a level, attention at 16 x 16. */
export const admUnet: FlowStepSpec = {
  kind: 'unet',
  options: { ...unetPresets.cifar, conditioning: 'scale-shift', shape: [3, 32, 32], patch: 1, classes: null },
  batch: 16,
  ...adam,
};

/** The network of the preset with its batch and optimiser. */
export function fashionUnet(): FlowStepSpec {
  const { model, training } = readConfig('fashion-unet');
  if (model.kind !== 'unet' || training.optimizer.kind !== 'adamw') throw internalError('fashion-unet is another net');
  const { kind, labels: _labels, timeScale: _timeScale, ...options } = model;
  const { learningRate, betas } = training.optimizer;
  return {
    kind,
    options: { ...options, shape: [1, 28, 28], classes: 10 },
    batch: training.batchSize,
    learningRate,
    betas: [betas[0], betas[1]],
  };
}

/** The U-Net on which the main job was first tried: one residual block a level, skips as further channels. */
export const plainUnet: FlowStepSpec = {
  kind: 'unet',
  options: {
    shape: [1, 28, 28],
    patch: 1,
    channels: [32, 64, 96],
    blocks: 1,
    attention: [],
    headChannels: 32,
    middle: false,
    skips: 'blocks',
    resample: 'pooling',
    conditioning: 'scale-shift',
    groups: 8,
    classes: 10,
  },
  batch: 64,
  ...adam,
};

/** Small network for tests of the benchmarks. */
export const tinyDit: FlowStepSpec = {
  kind: 'dit',
  options: { shape: [1, 4, 4], patch: 2, width: 8, depth: 1, heads: 2, mlpRatio: 2, classes: 3 },
  batch: 2,
  ...adam,
};

/** Small autoencoder for tests of the benchmarks. */
const tinyVqVae: AutoencoderStepSpec = {
  kind: 'vq-vae',
  options: {
    shape: [3, 8, 8],
    channels: 32,
    multipliers: [1, 1],
    blocks: 1,
    attentionResolutions: [],
    latentChannels: 2,
    codes: 8,
    commitment: 0.25,
  },
  batch: 2,
  ...adam,
};

/** The same step in less memory, by us alone: blocks are computed again for the gradient, and the state is written over. */
const frugal = <S extends StepSpec>(spec: S): S => ({ ...spec, rematerialise: 'blocks', inPlace: true });

/** Likewise, but only what is cheap is computed again. */
const lean = <S extends StepSpec>(spec: S): S => ({ ...spec, rematerialise: 'cheap', inPlace: true });

/** The networks by name. */
export const stepSpecs = {
  'dit-s2': () => ditS2,
  'dit-384x4': () => dit384x4,
  'adm-cifar10': admCifar10,
  'adm-unet': () => admUnet,
  'dit-s2-frugal': () => frugal(ditS2),
  'adm-cifar10-frugal': () => frugal(admCifar10()),
  'vq-vae-64-frugal': () => frugal(vqVaeF8(64)),
  'vq-vae-frugal': () => frugal(vqVaeF8(128)),
  'dit-s2-lean': () => lean(ditS2),
  'adm-cifar10-lean': () => lean(admCifar10()),
  'vq-vae-64-lean': () => lean(vqVaeF8(64)),
  'vq-vae-lean': () => lean(vqVaeF8(128)),
  'vq-vae-256': () => vqVaeF8(256),
  'vq-vae': () => vqVaeF8(128),
  'vq-vae-64': () => vqVaeF8(64),
  'fashion-unet': fashionUnet,
  'unet-32-64-96': () => plainUnet,
  tiny: () => tinyDit,
  'tiny-vq-vae': () => tinyVqVae,
} as const satisfies Readonly<Record<string, () => StepSpec>>;

export type StepName = keyof typeof stepSpecs;
