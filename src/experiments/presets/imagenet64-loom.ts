import type { RunConfigInput } from '../config.ts';

/**
 * ImageNet, 64 x 64, at paper scale by LOOM-CFM with one cache: [davtyan:25], table 4, without the paper's dropout of 0.1 and without labels.
 * Not trained here: needs a GPU and the images, `--set data.source=<folder or .npz>`.
 */
export const imagenet64Loom: RunConfigInput = {
  name: 'imagenet64-loom',
  data: { kind: 'images', source: 'imagenet64' },
  model: {
    kind: 'unet',
    channels: [192, 384, 576, 768],
    blocks: 2,
    attention: [2],
    headChannels: 64,
    conditioning: 'shift',
    timeScale: 1, // the paper's code embeds time in [0, 1] as it is
  },
  coupling: { kind: 'loom', caches: 1 },
  path: { kind: 'linear', sigma: 1e-7 },
  training: {
    images: 128_064_000, // 1,334,000 steps
    batchSize: 96,
    rematerialise: 'cheap',
    optimizer: { kind: 'adam', learningRate: 1e-4, betas: [0.9, 0.999] },
    clip: 1,
    schedule: { kind: 'constant', warmupImages: 1_920_000 }, // 20,000 steps
    ema: { kind: 'decay', decay: 0.9999, biasCorrected: false },
    validation: { everyImages: 1_000_000, images: 2_000 },
    checkpoint: { everyImages: 1_000_000 },
    log: { everyImages: 51_200 },
  },
  sampling: { solver: { kind: 'dopri5' }, batchSize: 128 },
};
