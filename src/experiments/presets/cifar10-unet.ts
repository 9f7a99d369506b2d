import type { RunConfigInput } from '../config.ts';

/**
 * CIFAR-10 at paper scale: the network and schedule of [davtyan:25], appendix C, with the independent coupling (its baseline), without labels
 * and without the paper's dropout of 0.1.
 * Needs a GPU and the folder of CIFAR-10's binary version: `--set data.source=<folder>`.
 */
export const cifar10Unet: RunConfigInput = {
  name: 'cifar10-unet',
  data: { kind: 'images', source: 'cifar-10-batches-bin', flip: true },
  model: {
    kind: 'unet',
    channels: [128, 256, 256, 256],
    blocks: 2,
    attention: [1],
    headChannels: 64,
    conditioning: 'shift',
    timeScale: 1, // the paper's code embeds time in [0, 1] as it is
  },
  path: { kind: 'linear', sigma: 1e-7 },
  training: {
    images: 50_048_000, // 391,000 steps
    batchSize: 128,
    rematerialise: 'cheap',
    optimizer: { kind: 'adam', learningRate: 2e-4, betas: [0.9, 0.999] },
    clip: 1,
    schedule: { kind: 'constant', warmupImages: 640_000 }, // 5,000 steps
    ema: { kind: 'decay', decay: 0.9999, biasCorrected: false },
    validation: { everyImages: 500_000, images: 2_000 },
    checkpoint: { everyImages: 500_000 },
    log: { everyImages: 12_800 },
  },
  sampling: { solver: { kind: 'dopri5' }, batchSize: 128 },
};
