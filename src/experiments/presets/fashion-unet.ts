import type { RunConfigInput } from '../config.ts';

/**
 * The main job: clothes by class in a few minutes on two processor cores, 28 x 28 grey.
 * Result, seed 0: held-out loss 0.2421 ± 0.0044 (1,000 images; untrained 1.6744, best constant 1.3383). Cost: 3 min 22 s of training on two
 * cores of an Intel Xeon with AVX-512, 0.29 s a step, peak memory 0.9 GB.
 */
export const fashionUnet: RunConfigInput = {
  name: 'fashion-unet',
  data: { kind: 'images', source: 'fashion' },
  model: {
    kind: 'unet',
    labels: true,
    channels: [32, 64, 96],
    blocks: 1,
    attention: [],
    headChannels: 32,
    middle: false,
    skips: 'sum',
    resample: 'pooling',
    groups: 8,
  },
  training: {
    images: 44_800, // 700 steps
    batchSize: 64,
    optimizer: { kind: 'adamw', learningRate: 2e-3, betas: [0.9, 0.99] },
    schedule: { kind: 'cosine', warmupImages: 3_200 },
    ema: { kind: 'decay', decay: 0.99 },
    validation: { everyImages: 11_200, images: 1_000 },
    checkpoint: { everyImages: 11_200 },
    log: { everyImages: 640 },
  },
  sampling: { solver: { kind: 'midpoint', steps: 20 }, guidance: 1.5, batchSize: 100, perClass: 10 },
};
