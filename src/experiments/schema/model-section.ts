/** Config section `model`: the network that predicts velocities. */
import { z } from 'zod';

const count = z.int().min(1);

const labels = z
  .boolean()
  .default(false)
  .describe('Whether the model is told the label of a datum (and a null label).');

const timeScale = z.number().gt(0).default(1000).describe('Factor on time before its sinusoidal features.');

const mlp = z.strictObject({
  kind: z.literal('mlp'),
  labels,
  hidden: z.array(count).min(1).default([256, 256, 256]).describe('Widths of the hidden layers.'),
  activation: z
    .enum(['silu', 'selu', 'gelu', 'geluTanh', 'relu', 'tanh'])
    .default('silu')
    .describe('Function between the layers.'),
  timeFeatures: z
    .int()
    .min(2)
    .multipleOf(2)
    .nullable()
    .default(null)
    .describe('Sinusoidal features of time. null: time itself, as one feature.'),
  timeScale,
  labelFeatures: count.default(16).describe('Learned features of a label.'),
});

// The residual network of [dhariwal:21]; the defaults are a CIFAR-10 network with scale-shift conditioning.
const unet = z.strictObject({
  kind: z.literal('unet'),
  labels,
  channels: z
    .array(count)
    .min(1)
    .default([128, 256, 256, 256])
    .describe(
      'Channels of each level, from the full size down; each level has half the height and width of the one before.',
    ),
  patch: count
    .default(1)
    .describe('Side of the square of pixels that the network sees as one, with a channel for each.'),
  blocks: count.default(2).describe('Residual blocks of a level on the way down.'),
  attention: z
    .array(z.int().min(0))
    .default([1])
    .describe('Levels with self-attention, 0 at full resolution; each level halves it.'),
  headChannels: count.default(64).describe('Channels of an attention head.'),
  middle: z.boolean().default(true).describe('Whether the smallest level ends in block, attention, block.'),
  skips: z
    .enum(['blocks', 'all', 'sum'])
    .default('all')
    .describe(
      "Maps that the way up meets again: those of the residual blocks, 'all', with one more block a level, or 'sum', added instead of concatenated.",
    ),
  resample: z
    .enum(['pooling', 'convolution', 'residual'])
    .default('convolution')
    .describe(
      'How height and width are halved: by averages, by a convolution in steps of two, or by a residual block that averages.',
    ),
  conditioning: z
    .enum(['scale-shift', 'shift'])
    .default('scale-shift')
    .describe(
      "What time and label do to a residual block's second norm: scale and shift its result, or shift what it reads.",
    ),
  groups: count.default(32).describe('Groups of the norms; they divide the channels of every level.'),
  timeScale,
});

// The U-Net of DDPM++ [song:21] as [karras:22] train it; the defaults are its network for CIFAR-10.
const songUnet = z.strictObject({
  kind: z.literal('song-unet'),
  labels,
  channels: count.default(128).describe('Channels that the multipliers multiply; a multiple of 4.'),
  multipliers: z
    .array(count)
    .min(1)
    .default([2, 2, 2])
    .describe(
      'Channels of each level in units of `channels`, from the full size down; each level halves height and width.',
    ),
  blocks: count.default(4).describe('Residual blocks of a level on the way down; one more on the way up.'),
  attentionResolutions: z.array(count).default([16]).describe('Heights of the feature maps with self-attention.'),
  timeScale,
});

// The transformer of [peebles:23].
const dit = z.strictObject({
  kind: z.literal('dit'),
  labels,
  patch: count.default(2).describe('Height and width of a token, in latent pixels.'),
  size: z
    .enum(['S', 'B', 'L', 'XL'])
    .default('S')
    .describe('Published size: depth, width and heads are S 12 384 6, B 12 768 12, L 24 1024 16, XL 28 1152 16.'),
  width: count.nullable().default(null).describe('Features of a token. null: as `size` says.'),
  depth: count.nullable().default(null).describe('Blocks. null: as `size` says.'),
  heads: count
    .nullable()
    .default(null)
    .describe('Attention heads of a block; they divide the width. null: as `size` says.'),
  mlpRatio: z.number().gt(0).default(4).describe('Hidden features of the MLP of a block, in units of `width`.'),
  variances: z
    .boolean()
    .default(false)
    .describe('Whether the last layer has the channels for variances of published checkpoints; they are not used.'),
  timeScale,
});

/** Section `model`. */
export const modelSection = z.discriminatedUnion('kind', [mlp, unet, songUnet, dit]).describe('The network.');
