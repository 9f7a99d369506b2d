/**
 * Latent flow matching at paper scale: [briq:26], C.1. A VQ-VAE for each set, its latents encoded once, and a transformer on 4 x 32 x 32 of
 * them by the training of [peebles:23], at a batch of 128: CelebA-HQ by DiT-S/2 in 140,000 updates, FFHQ by DiT-B/2 in 150,000, ImageNet with
 * labels by DiT-XL/2 in 200,000. Not trained here: they need a GPU and the images, whose folder both stages are told,
 * `--set stages.autoencoder.data.source=<folder> --set stages.flow.data.source=<folder>`.
 */
import type { AutoencoderConfigInput } from '../autoencoder-config.ts';
import type { StagesConfigInput } from '../stages-config.ts';
import { celebaHqVq, ffhqVq, imagenetVq } from './autoencoders-256.ts';

/** Images of an update. */
const BATCH = 128;

interface PaperFlow {
  readonly name: string;
  readonly size: 'S' | 'B' | 'XL';
  readonly labels: boolean;
  readonly updates: number;
  /** Images of one evaluation of the gradient; the rest of a batch is accumulated. */
  readonly batchSize: number;
}

function latentDit(
  { name: _name, seed: _seed, ...autoencoder }: AutoencoderConfigInput,
  { name, size, labels, updates, batchSize }: PaperFlow,
): StagesConfigInput {
  return {
    name,
    stages: {
      autoencoder,
      flow: {
        data: { ...autoencoder.data, flip: true },
        model: { kind: 'dit', size, patch: 2, labels },
        training: {
          images: updates * BATCH,
          batchSize,
          inPlace: size === 'XL', // else 24 GB for parameters, moments, average and gradient
          accumulate: BATCH / batchSize,
          rematerialise: 'cheap',
          optimizer: { kind: 'adamw', learningRate: 1e-4, betas: [0.9, 0.999], weightDecay: 0 },
          clip: null,
          schedule: { kind: 'constant' },
          ema: { kind: 'decay', decay: 0.9999, biasCorrected: false },
          labelDropout: 0.1,
          validation: { everyImages: 5_000 * BATCH, images: 1_000 },
          checkpoint: { everyImages: 5_000 * BATCH },
          log: { everyImages: 100 * BATCH },
        },
        // The published code goes through 60 times, which is 59 steps.
        sampling: { solver: { kind: 'euler', steps: 59 }, batchSize: 32 },
      },
      metrics: { metrics: ['frechet', 'prdc'], features: 'mixed5', count: 4_096, against: 'heldOut' },
    },
  };
}

export const celebaHqLatentDit = latentDit(celebaHqVq, {
  name: 'celeba-hq-latent-dit',
  size: 'S',
  labels: false,
  updates: 140_000,
  batchSize: 32,
});

export const ffhqLatentDit = latentDit(ffhqVq, {
  name: 'ffhq-latent-dit',
  size: 'B',
  labels: false,
  updates: 150_000,
  batchSize: 32,
});

export const imagenetLatentDit = latentDit(imagenetVq, {
  name: 'imagenet-latent-dit',
  size: 'XL',
  labels: true,
  updates: 200_000,
  batchSize: 16,
});
