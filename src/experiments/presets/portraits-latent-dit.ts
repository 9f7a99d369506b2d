import type { StagesConfigInput } from '../stages-config.ts';
import { portraitsVq } from './portraits-vq.ts';

const { name: _name, seed: _seed, ...autoencoder } = portraitsVq;

/**
 * Emoji portraits, 64 x 64 RGB, labelled by skin colour, in the latents of a VQ-VAE: the stages of [briq:26], C.1, at the size of a laptop.
 * The transformer sees 64 tokens of 2 x 2 latents.
 */
export const portraitsLatentDit: StagesConfigInput = {
  name: 'portraits-latent-dit',
  stages: {
    autoencoder,
    flow: {
      data: { kind: 'images', source: 'portraits', label: 'skin', flip: true },
      model: { kind: 'dit', labels: true, patch: 2, width: 128, depth: 6, heads: 4 },
      training: {
        images: 176_000,
        batchSize: 32,
        optimizer: { kind: 'adamw', learningRate: 1e-3, betas: [0.9, 0.99] },
        schedule: { kind: 'cosine', warmupImages: 3_200 },
        ema: { kind: 'decay', decay: 0.998 },
        validation: { everyImages: 8_000, images: 100 },
        checkpoint: { everyImages: 8_000 },
        log: { everyImages: 320 },
      },
      sampling: { solver: { kind: 'midpoint', steps: 20 }, guidance: 1.5, batchSize: 60, perClass: 10 },
    },
  },
};
