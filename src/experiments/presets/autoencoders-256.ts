/**
 * Autoencoders of 256 x 256 pixels to 4 x 32 x 32 latents at paper scale: [briq:26], C.1. A batch of 64 is accumulated from parts; 100,000
 * updates, the discriminator after 5,000. They need a GPU and the folder of the images: `--set data.source=<folder>`. The perceptual loss is
 * by layers of an Inception network that an npm package ships, fetched once; the network of [zhang:18] can stand in `loss.perceptual` as a
 * file of yours.
 */
import type { AutoencoderConfigInput } from '../autoencoder-config.ts';

/** Pictures of an update. */
const BATCH = 64;

const training = {
  images: 100_000 * BATCH,
  batchSize: 8,
  rematerialise: 'cheap',
  accumulate: BATCH / 8,
  optimizer: { kind: 'adam', learningRate: 1e-4, betas: [0.9, 0.999], epsilon: 1e-8 },
  clip: 2,
  schedule: { kind: 'constant' },
  ema: { kind: 'decay', decay: 0.999, biasCorrected: false },
  validation: { everyImages: 2_000 * BATCH, images: 1_000 },
  checkpoint: { everyImages: 2_000 * BATCH },
  log: { everyImages: 100 * BATCH },
} as const satisfies AutoencoderConfigInput['training'];

const loss = {
  pixel: 'l1',
  perceptual: {
    features: 'mixed5?size=256',
    layers: ['activation_3', 'activation_5', 'mixed0', 'mixed2'].map((name) => ({ name })),
    weight: 1,
  },
  adversarial: { startImages: 5_000 * BATCH, weight: 0.5, largest: 1e4 },
} as const satisfies AutoencoderConfigInput['loss'];

function imagesOf(folder: string): AutoencoderConfigInput['data'] {
  return { kind: 'images', source: folder, size: 256, channels: 3, flip: true };
}

const vq = { kind: 'vq', size: 256, codes: 8192, commitment: 0.25 } as const;

export const celebaHqVq: AutoencoderConfigInput = {
  name: 'celeba-hq-vq',
  data: imagesOf('celeba-hq'),
  autoencoder: vq,
  loss,
  training,
};

export const ffhqVq: AutoencoderConfigInput = {
  name: 'ffhq-vq',
  data: imagesOf('ffhq'),
  autoencoder: vq,
  loss,
  training,
};

export const imagenetVq: AutoencoderConfigInput = {
  name: 'imagenet-vq',
  data: imagesOf('imagenet'),
  autoencoder: vq,
  loss,
  training,
};

/** The same training of a KL autoencoder, the second kind of [rombach:22], with its factor of the divergence. */
export const imagenetKl: AutoencoderConfigInput = {
  name: 'imagenet-kl',
  data: imagesOf('imagenet'),
  autoencoder: { kind: 'kl', size: 256, divergence: 1e-6 },
  loss,
  training,
};
