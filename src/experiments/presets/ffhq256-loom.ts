import type { RunConfigInput } from '../config.ts';

/**
 * FFHQ, 256 x 256, in latents at paper scale by LOOM-CFM with 4 caches: [davtyan:25], table 4, without the paper's dropout of 0.1.
 * Latents are an .npz file, `--set data.source=<file>`; the paper's are those of the autoencoder of [rombach:22] times 0.18215. Not
 * trained here: needs a GPU and the images.
 */
export const ffhq256Loom: RunConfigInput = {
  name: 'ffhq256-loom',
  data: { kind: 'latents', shape: [4, 32, 32] },
  model: {
    kind: 'unet',
    channels: [256, 512, 768, 1024],
    blocks: 2,
    attention: [1, 2, 3],
    headChannels: 64,
    conditioning: 'shift',
    timeScale: 1, // the paper's code embeds time in [0, 1] as it is
  },
  coupling: { kind: 'loom', caches: 4 },
  path: { kind: 'linear', sigma: 1e-7 },
  training: {
    images: 34_944_000, // 273,000 steps
    batchSize: 128,
    rematerialise: 'cheap',
    inPlace: true, // half the memory of 358 million parameters
    optimizer: { kind: 'adam', learningRate: 2e-5, betas: [0.9, 0.999] },
    clip: 1,
    schedule: { kind: 'constant', warmupImages: 448_000 }, // 3,500 steps
    ema: { kind: 'decay', decay: 0.9999, biasCorrected: false },
    checkpoint: { everyImages: 500_000 },
    log: { everyImages: 12_800 },
  },
  sampling: { solver: { kind: 'dopri5' }, batchSize: 32 },
};
