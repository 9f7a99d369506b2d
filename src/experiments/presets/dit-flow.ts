import type { ditSizes } from '../../models/dit.ts';
import type { RunConfigInput } from '../config.ts';

/**
 * Flows of DiT-S/2 to DiT-XL/2 on the latents of ImageNet at 256 x 256 pixels, with labels: networks, learning rate, batch and average of
 * [peebles:23], section 4, over its 400,000 steps, with the interpolant of [ma:24], which keeps all of these and embeds time as it is
 * (`timeScale` 1). The last layer has the channels for variances of the public checkpoints, so that those of [ma:24] are imported.
 * Latents are an .npz file, `--set data.source=<file>`; those checkpoints want the autoencoder's of [rombach:22] times 0.18215. Without a
 * file there is nothing to train on, but weights from elsewhere can be imported and sampled. Not trained here: needs a GPU.
 */
export function ditFlow(size: keyof typeof ditSizes): RunConfigInput {
  return {
    name: `dit-${size.toLowerCase()}-2`,
    data: { kind: 'latents', shape: [4, 32, 32], classes: 1000 },
    model: { kind: 'dit', size, patch: 2, labels: true, variances: true, timeScale: 1 },
    training: {
      images: 102_400_000, // 400,000 steps
      batchSize: 256,
      rematerialise: 'cheap',
      optimizer: { kind: 'adamw', learningRate: 1e-4, betas: [0.9, 0.999], weightDecay: 0 },
      labelDropout: 0.1,
      inPlace: size === 'L' || size === 'XL', // else 17 and 24 GB for parameters, moments, average and gradient
      ema: { kind: 'decay', decay: 0.9999, biasCorrected: false },
      checkpoint: { everyImages: 2_560_000 },
      log: { everyImages: 25_600 },
    },
    sampling: { solver: { kind: 'heun', steps: 50 }, guidance: 1.5, batchSize: 16, perClass: 1 },
  };
}
