/** The networks whose training steps are measured. */

import { internalError } from '../src/errors.ts';
import { readConfig } from '../src/experiments/read-config.ts';
import { unetPresets } from '../src/models/unet.ts';
import type { StepSpec } from './training-step.ts';

const adam = { learningRate: 1e-4, betas: [0.9, 0.999] } as const;

/** Width 384, 6 heads, 4 blocks, 256 tokens. */
export const dit384x4: StepSpec = {
  kind: 'dit',
  options: { shape: [4, 32, 32], patch: 2, width: 384, depth: 4, heads: 6, mlpRatio: 4, classes: null },
  batch: 8,
  ...adam,
};

/** DiT-S/2: 12 blocks of width 384. */
export const ditS2: StepSpec = { ...dit384x4, options: { ...dit384x4.options, depth: 12 } };

/** 128 channels, [1, 2, 2, 2], 2 blocks a level, attention at 16 x 16. */
export const admUnet: StepSpec = {
  kind: 'unet',
  options: { ...unetPresets.cifar, shape: [3, 32, 32], patch: 1, classes: null },
  batch: 16,
  ...adam,
};

/** The network of the preset with its batch and optimiser. */
export function fashionUnet(): StepSpec {
  const { model, training } = readConfig('fashion-unet');
  if (model.kind !== 'unet' || training.optimizer.kind !== 'adamw') throw internalError('fashion-unet is another net');
  const { kind, labels: _labels, timeScale: _timeScale, conditioning: _conditioning, ...options } = model;
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
export const plainUnet: StepSpec = {
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
    groups: 8,
    classes: 10,
  },
  batch: 64,
  ...adam,
};

/** Small network for tests of the benchmarks. */
export const tinyDit: StepSpec = {
  kind: 'dit',
  options: { shape: [1, 4, 4], patch: 2, width: 8, depth: 1, heads: 2, mlpRatio: 2, classes: 3 },
  batch: 2,
  ...adam,
};
