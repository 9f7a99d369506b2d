import type { RunConfigInput } from '../config.ts';

/**
 * ImageNet, 32 x 32, at paper scale by LOOM-CFM with one cache: [davtyan:25], table 4, without the paper's dropout of 0.1 and without labels.
 * Not trained here: needs a GPU and the images, `--set data.source=<folder or .npz>`.
 */
export const imagenet32Loom: RunConfigInput = {
  name: 'imagenet32-loom',
  data: { kind: 'images', source: 'imagenet32' },
  model: {
    kind: 'unet',
    channels: [128, 256, 256, 256],
    blocks: 3,
    attention: [1, 2],
    headChannels: 64,
    conditioning: 'shift',
    timeScale: 1, // the paper's code embeds time in [0, 1] as it is
  },
  coupling: { kind: 'loom', caches: 1 },
  path: { kind: 'linear', sigma: 1e-7 },
  training: {
    images: 256_000_000, // 500,000 steps
    batchSize: 512,
    rematerialise: 'cheap',
    optimizer: { kind: 'adam', learningRate: 1e-4, betas: [0.9, 0.999] },
    clip: 1,
    schedule: { kind: 'constant', warmupImages: 10_240_000 }, // 20,000 steps
    ema: { kind: 'decay', decay: 0.9999, biasCorrected: false },
    validation: { everyImages: 1_000_000, images: 2_000 },
    checkpoint: { everyImages: 1_000_000 },
    log: { everyImages: 51_200 },
  },
  sampling: { solver: { kind: 'dopri5' }, batchSize: 128 },
};
