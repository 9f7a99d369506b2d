import type { RunConfigInput } from '../config.ts';

/** Emoji portraits, 64 x 64 RGB, labelled by skin colour. */
export const portraitsUnet: RunConfigInput = {
  name: 'portraits-unet',
  data: { kind: 'images', source: 'portraits', label: 'skin', flip: true },
  model: {
    kind: 'unet',
    labels: true,
    channels: [32, 64, 96, 128],
    blocks: 1,
    attention: [3],
    headChannels: 32,
    skips: 'blocks',
    resample: 'pooling',
    groups: 8,
  },
  training: {
    images: 256_000,
    batchSize: 32,
    optimizer: { kind: 'adamw', learningRate: 1e-3, betas: [0.9, 0.99] },
    schedule: { kind: 'cosine', warmupImages: 6_400 },
    ema: { kind: 'decay', decay: 0.998 },
    validation: { everyImages: 16_000, images: 100 },
    checkpoint: { everyImages: 16_000 },
    log: { everyImages: 640 },
  },
  sampling: { solver: { kind: 'midpoint', steps: 20 }, guidance: 1.5, batchSize: 60, perClass: 10 },
};
