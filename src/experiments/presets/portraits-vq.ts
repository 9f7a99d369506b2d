import type { AutoencoderConfigInput } from '../autoencoder-config.ts';

/** Emoji portraits, 64 x 64 RGB, to 4 x 16 x 16 latents; trains on two cores in minutes. */
export const portraitsVq: AutoencoderConfigInput = {
  name: 'portraits-vq',
  data: { kind: 'images', source: 'portraits', flip: true },
  autoencoder: {
    kind: 'vq',
    size: 64,
    channels: 16,
    multipliers: [1, 2, 4],
    blocks: 1,
    groups: 8,
    codes: 1024,
    revival: { everyImages: 400, untilImages: 12_800 },
  },
  loss: { pixel: 'l2' },
  training: {
    images: 19_200,
    batchSize: 4,
    optimizer: { kind: 'adam', learningRate: 2e-3, betas: [0.9, 0.99] },
    schedule: { kind: 'cosine', warmupImages: 400, finalFraction: 0.02 },
    ema: { kind: 'decay', decay: 0.99 },
    validation: { everyImages: 3_200, images: 96 },
    checkpoint: { everyImages: 3_200 },
    log: { everyImages: 80 },
  },
};
