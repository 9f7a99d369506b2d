/** Config sections `autoencoder` and `loss`: the network between pixels and latents, and what it is trained to make small. */
import { z } from 'zod';

const count = z.int().min(1);

const sizes = {
  size: count.describe('Height and width of the pictures, in pixels; a multiple of 2^(levels - 1).'),
  colors: z
    .union([z.literal(1), z.literal(3)])
    .default(3)
    .describe('Channels of the pictures: 1 grey, 3 RGB.'),
  channels: count.default(128).describe('Channels that the multipliers multiply; `groups` divides them.'),
  multipliers: z
    .array(count)
    .min(1)
    .default([1, 2, 4, 4])
    .describe(
      'Channels of each level in units of `channels`, from the full size down; each but the first halves the sides.',
    ),
  blocks: count.default(2).describe('Residual blocks of a level of the encoder; the decoder has one more.'),
  attentionResolutions: z
    .array(count)
    .default([])
    .describe(
      'Sides of the maps whose blocks are followed by attention; the smallest maps attend in the middle anyway.',
    ),
  groups: count.default(32).describe('Groups of the norms; they divide the channels of every level.'),
  latentChannels: count.default(4).describe('Channels of the latents.'),
};

const revival = z
  .strictObject({
    everyImages: count.default(10_000).describe('Images between revivals.'),
    least: z.number().gt(0).default(1).describe('Choices since the last revival below which a code is dead.'),
    untilImages: count.nullable().default(null).describe('Images after which codes are left alone. null: never.'),
  })
  .nullable()
  .default(null)
  // [dhariwal:20], section 3.1.
  .describe('Dead codes are replaced by encoder outputs of the last batch. null: they stay as they are.');

/** Section `autoencoder`; the defaults of kind vq are the network of [briq:26], C.1. */
export const autoencoderSection = z
  .discriminatedUnion('kind', [
    // [oord:17] with the networks of [esser:21].
    z.strictObject({
      kind: z.literal('vq'),
      ...sizes,
      codes: count.default(8192).describe('Code vectors of the codebook.'),
      commitment: z.number().min(0).default(0.25).describe('Factor of the commitment loss.'),
      revival,
    }),
    // [rombach:22].
    z.strictObject({
      kind: z.literal('kl'),
      ...sizes,
      divergence: z
        .number()
        .min(0)
        .default(1e-6)
        .describe(
          "Factor of the divergence from the standard normal, in nats summed over a picture's latents, against errors summed over its pixels.",
        ),
    }),
  ])
  .describe('The network: vq quantises latents to a codebook, kl draws them from a Gaussian.');

const layer = z.strictObject({
  name: z.string().min(1).describe('Value of the network: maps [batch, channels, height, width].'),
  weights: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('Tensor of `weightsFile` with a weight a channel. null: a mean.'),
});

const perceptual = z
  .strictObject({
    features: z
      .string()
      .min(1)
      .describe(
        'Network, as for `flowloom evaluate --features`: a preset of features with a network, or an ONNX file.',
      ),
    layers: z.array(layer).min(1).describe('Layers whose maps are compared.'),
    weightsFile: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe('safetensors file of weights of channels. null: none.'),
    weight: z.number().gt(0).default(1).describe('Factor of the perceptual loss.'),
  })
  .nullable()
  .default(null)
  // [zhang:18].
  .describe('Distance by what a network sees. null: pixels alone.');

const adversarial = z
  .strictObject({
    startImages: z.int().min(0).describe('Images after which the discriminator is trained and has a say.'),
    weight: z.number().gt(0).default(0.5).describe('Factor on the adaptive weight.'),
    largest: z
      .number()
      .gt(0)
      .nullable()
      .default(1e4)
      .describe('Largest adaptive weight. null: no limit, as in the paper.'),
    channels: count.default(64).describe('Channels of the first layer of the discriminator.'),
    layers: count.default(3).describe('Layers of the discriminator between the first and the last.'),
    learningRate: z
      .number()
      .gt(0)
      .nullable()
      .default(null)
      .describe('Of the discriminator. null: that of `training.optimizer`.'),
  })
  .nullable()
  .default(null)
  // [esser:21], eq. (7); [isola:17].
  .describe('PatchGAN discriminator with the hinge loss and the adaptive weight. null: none.');

/** Section `loss`. */
export const lossSection = z
  .strictObject({
    pixel: z.enum(['l1', 'l2']).default('l1').describe('Mean absolute or mean squared error of pixels in [-1, 1].'),
    perceptual,
    adversarial,
  })
  .prefault({})
  .describe('What is made small besides the loss of the latents.');
