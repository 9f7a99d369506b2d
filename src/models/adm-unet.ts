import { ConfigError } from '../errors.ts';
import type { Conditioning } from './layers/residual-block.ts';
import type { Model } from './model.ts';
import { type UnetOptions, unet } from './unet.ts';

export interface AdmUnetOptions {
  /** [channels, height, width] of one sample, a square whose side is a multiple of 2^(levels - 1). */
  readonly shape: readonly [number, number, number];
  /** Channels that the multipliers multiply; also the number of sinusoidal features of time. */
  readonly channels: number;
  /** Channels of each level, from the full size down, in units of `channels`. */
  readonly multipliers: readonly number[];
  /** Residual blocks of a level on the way down; one more on the way up. */
  readonly blocks: number;
  /** Sides of the feature maps whose residual blocks are followed by attention. */
  readonly attentionResolutions: readonly number[];
  /** Channels of an attention head. */
  readonly headChannels: number;
  /** How residual blocks take their condition: with `scale-shift` the "adaptive group normalisation" of the paper. */
  readonly conditioning: Conditioning;
  /** Whether residual blocks change the size between levels ("resblock_updown") instead of convolutions. */
  readonly residualResampling: boolean;
  /** Classes; `null` for none. */
  readonly classes: number | null;
  /** Factor on time before its sinusoidal features. Default 1000. */
  readonly timeScale?: number;
}

/** Groups of every norm. */
const GROUPS = 32;

/** Options of `unet` that give the improved U-Net. */
export interface AdmAsUnet extends UnetOptions {
  readonly conditioning: Conditioning;
  readonly resample: 'convolution' | 'residual';
}

/** The improved U-Net in the terms of `unet`, of which it is a case. @throws ConfigError if no level has such a resolution. */
export function admUnetOptions(options: AdmUnetOptions): AdmAsUnet {
  const { shape, channels, multipliers, attentionResolutions, residualResampling, ...same } = options;
  const attention = attentionResolutions.map((side) => Math.log2(shape[1] / side));
  if (shape[1] !== shape[2] || !attention.every((level) => Number.isInteger(level) && level < multipliers.length)) {
    throw new ConfigError({
      expected: `\`attentionResolutions\` to be sides of the ${multipliers.length} levels of a square [${shape.join(', ')}]`,
      got: `[${attentionResolutions.join(', ')}]`,
      where: 'models/adm-unet',
    });
  }
  return {
    ...same,
    shape,
    channels: multipliers.map((multiplier) => multiplier * channels),
    features: 4 * channels,
    timeFeatures: channels,
    attention: attention.sort((a, b) => a - b),
    middle: true,
    skips: 'all',
    resample: residualResampling ? 'residual' : 'convolution',
    groups: GROUPS,
    name: `ADM-${channels}-[${multipliers.join(',')}]`,
  };
}

/** The improved U-Net ("ADM") of [dhariwal:21], section 3. @throws ConfigError if sizes, heads or groups do not divide. */
export function admUnet(options: AdmUnetOptions): Model {
  return unet(admUnetOptions(options));
}

/**
 * The networks of [davtyan:25], table 4, a column each; their code neither scales the norms nor resamples by residual blocks. Its head
 * channels decide the number of heads; the table's "Heads 4" is what they replace.
 */
export const admUnets = {
  cifar10: {
    shape: [3, 32, 32],
    channels: 128,
    multipliers: [1, 2, 2, 2],
    blocks: 2,
    attentionResolutions: [16],
    headChannels: 64,
    conditioning: 'shift',
    residualResampling: false,
  },
  imagenet32: {
    shape: [3, 32, 32],
    channels: 128,
    multipliers: [1, 2, 2, 2],
    blocks: 3,
    attentionResolutions: [16, 8],
    headChannels: 64,
    conditioning: 'shift',
    residualResampling: false,
  },
  imagenet64: {
    shape: [3, 64, 64],
    channels: 192,
    multipliers: [1, 2, 3, 4],
    blocks: 2,
    attentionResolutions: [16],
    headChannels: 64,
    conditioning: 'shift',
    residualResampling: false,
  },
  /** On the latents of 256 x 256 pixels. */
  ffhq256: {
    shape: [4, 32, 32],
    channels: 256,
    multipliers: [1, 2, 3, 4],
    blocks: 2,
    attentionResolutions: [16, 8, 4],
    headChannels: 64,
    conditioning: 'shift',
    residualResampling: false,
  },
  /** ImageNet 64 x 64 of [dhariwal:21] and of [matityahu:24], table 6: scales and shifts, residual resampling. */
  'imagenet64-guided': {
    shape: [3, 64, 64],
    channels: 192,
    multipliers: [1, 2, 3, 4],
    blocks: 3,
    attentionResolutions: [32, 16, 8],
    headChannels: 64,
    conditioning: 'scale-shift',
    residualResampling: true,
  },
} as const satisfies Readonly<Record<string, Omit<AdmUnetOptions, 'classes'>>>;
