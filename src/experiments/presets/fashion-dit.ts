import type { RunConfigInput } from '../config.ts';

/** Clothes by class with a small transformer [peebles:23], 28 x 28 grey as 49 tokens. */
export const fashionDit: RunConfigInput = {
  name: 'fashion-dit',
  data: { kind: 'images', source: 'fashion' },
  model: { kind: 'dit', labels: true, patch: 4, width: 192, depth: 6, heads: 6 },
  training: {
    images: 256_000,
    batchSize: 64,
    optimizer: { kind: 'adamw', learningRate: 1e-3, betas: [0.9, 0.99] },
    schedule: { kind: 'cosine', warmupImages: 12_800 },
    ema: { kind: 'decay', decay: 0.995 },
    validation: { everyImages: 32_000, images: 1_000 },
    checkpoint: { everyImages: 32_000 },
    log: { everyImages: 1_280 },
  },
  sampling: { solver: { kind: 'midpoint', steps: 20 }, guidance: 1.5, batchSize: 100, perClass: 10 },
};
