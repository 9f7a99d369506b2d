/** U-Nets on the latents of 256 x 256 pixels, to compare architectures by. */
import type { RunConfigInput } from '../config.ts';

/**
 * A flow of the stability papers on a U-Net in place of a transformer, without labels. [briq:26] trains "a U-Net backbone" on the latents that
 * DiT-S/2 and DiT-XL/2 see, calls it UNet-M/2 in its figure 4, and gives no sizes. Those here are ours: the improved U-Net [dhariwal:21]
 * with three levels, three blocks a level and attention at 16 x 16 and 8 x 8, as wide as it takes to have the parameters and operations of a
 * transformer. Training is the paper's for CelebA-HQ, appendix C.1: that of [peebles:23], with batches of 128 for 140,000 steps.
 * Latents are an .npz file, `--set data.source=<file>`. Not trained here: needs a GPU and the latents.
 */
function latentUnet(size: 's' | 'b', channels: readonly number[], headChannels: number): RunConfigInput {
  return {
    name: `latent-unet-${size}`,
    data: { kind: 'latents', shape: [4, 32, 32] },
    model: { kind: 'unet', channels, blocks: 3, attention: [1, 2], headChannels },
    training: {
      images: 17_920_000, // 140,000 steps
      batchSize: 128,
      rematerialise: 'cheap',
      optimizer: { kind: 'adamw', learningRate: 1e-4, betas: [0.9, 0.999], weightDecay: 0 },
      ema: { kind: 'decay', decay: 0.9999, biasCorrected: false },
      checkpoint: { everyImages: 1_280_000 },
      log: { everyImages: 12_800 },
    },
    sampling: { solver: { kind: 'dopri5' }, batchSize: 32 },
  };
}

/** 33.4 M parameters and 5.5 · 10^9 multiply-adds; DiT-S/2 has 32.9 M and 6.1 · 10^9. */
export const latentUnetS = latentUnet('s', [96, 192, 288], 32);

/** 133.3 M parameters and 21.8 · 10^9 multiply-adds; DiT-B/2 has 130.3 M and 23.0 · 10^9. */
export const latentUnetB = latentUnet('b', [192, 384, 576], 64);
