import type { RunConfigInput } from '../config.ts';

/** Sections of a config that say what a network is and how it is trained and sampled. */
export type NetworkSections = Pick<RunConfigInput, 'model' | 'training' | 'sampling' | 'runtime'>;

/**
 * The network of the preset `fashion-unet` with other widths, without labels, as the exact field has none, and with the same schedule.
 * @param channels  of each level; each halves height and width.
 * @param images    length of the training, repetitions included.
 */
export function smallUnet(channels: readonly number[], images: number): NetworkSections {
  return {
    model: {
      kind: 'unet',
      labels: false,
      channels,
      blocks: 1,
      attention: [],
      headChannels: 32,
      middle: false,
      skips: 'sum',
      resample: 'pooling',
      groups: 8,
    },
    training: {
      images,
      batchSize: 64,
      optimizer: { kind: 'adamw', learningRate: 2e-3, betas: [0.9, 0.99] },
      schedule: { kind: 'cosine', warmupImages: 3_200 },
      ema: { kind: 'decay', decay: 0.99 },
      validation: { everyImages: null },
      checkpoint: { everyImages: 16_000, keep: 1 },
      log: { everyImages: 640 },
    },
    sampling: { solver: { kind: 'midpoint', steps: 20 }, batchSize: 64 },
  };
}
