/** The generators of lines matching, trained as flows. */
import type { RunConfigInput } from '../config.ts';

/**
 * Settings of [matityahu:24], table 6, that all of its columns share. Its pairs, its losses on lines, perceptual and adversarial, and its
 * discriminator are no part of these presets: they train the table's networks by its optimiser, batch, average and number of steps as
 * flows on data and noise. Not trained here: need a GPU and the images, `--set data.source=<folder or .npz>`.
 * @param steps  in thousands; with the adversarial loss counted.
 */
function training(learningRate: number, steps: number): RunConfigInput['training'] {
  return {
    images: steps * 512_000,
    batchSize: 512,
    rematerialise: 'cheap',
    optimizer: { kind: 'radam', learningRate, betas: [0.9, 0.999] },
    ema: { kind: 'decay', decay: 0.999 },
    validation: { everyImages: 1_000_000, images: 2_000 },
    checkpoint: { everyImages: 1_000_000 },
    log: { everyImages: 51_200 },
  };
}

/** CIFAR-10 with DDPM++, without labels. */
export const cifar10Ddpmpp: RunConfigInput = {
  name: 'cifar10-ddpmpp',
  data: { kind: 'images', source: 'cifar-10-batches-bin', flip: true },
  model: { kind: 'song-unet', channels: 128, multipliers: [2, 2, 2], blocks: 4, attentionResolutions: [16] },
  training: training(4e-4, 100),
  sampling: { solver: { kind: 'heun', steps: 18 }, batchSize: 128 },
};

/** AFHQ-v2, 64 x 64, with DDPM++. */
export const afhq64Ddpmpp: RunConfigInput = {
  name: 'afhq64-ddpmpp',
  data: { kind: 'images', source: 'afhq64', size: 64, flip: true },
  model: { kind: 'song-unet', channels: 128, multipliers: [1, 2, 2, 2], blocks: 4, attentionResolutions: [16] },
  training: training(1e-4, 105),
  sampling: { solver: { kind: 'heun', steps: 40 }, batchSize: 32 },
};

/** ImageNet, 64 x 64, with the ADM U-Net of [dhariwal:21] and labels. */
export const imagenet64Adm: RunConfigInput = {
  name: 'imagenet64-adm',
  data: { kind: 'images', source: 'imagenet64' },
  model: {
    kind: 'unet',
    labels: true,
    channels: [192, 384, 576, 768],
    blocks: 3,
    attention: [1, 2, 3],
    headChannels: 64,
    resample: 'residual',
  },
  training: { ...training(8e-6, 110), inPlace: true }, // half the memory of 296 million parameters
  sampling: { solver: { kind: 'heun', steps: 40 }, batchSize: 32, perClass: 1 },
};
