import type { RunConfigInput } from '../config.ts';

/** Points of two half circles: a whole run in seconds. */
export const twoMoonsMlp: RunConfigInput = {
  name: 'two-moons-mlp',
  data: { kind: 'vectors', source: 'two-moons' },
  model: { kind: 'mlp', hidden: [128, 128, 128], activation: 'silu' },
  training: {
    images: 1_024_000,
    batchSize: 512,
    optimizer: { kind: 'adam', learningRate: 2e-3 },
    schedule: { kind: 'cosine', warmupImages: 10_240 },
    ema: { kind: 'decay', decay: 0.99 },
    validation: { everyImages: 102_400, images: 2_048 },
    checkpoint: { everyImages: 102_400 },
    log: { everyImages: 10_240 },
  },
  sampling: { solver: { kind: 'dopri5' }, batchSize: 1_000, perClass: 1_000 },
};
