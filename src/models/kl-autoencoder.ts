import { add, clip, exp, multiply, reduceSum, split, subtract } from '../engine/ops.ts';
import { formatShape, sameShape } from '../engine/shape.ts';
import type { Tensor } from '../engine/tensor.ts';
import { ShapeError } from '../errors.ts';
import { type AutoencoderOptions, type CoderParameters, decoder, encoder, reduction } from './autoencoder.ts';
import { type ConvolutionParameters, convolution } from './layers/convolution.ts';
import type { TensorsOf } from './parameters.ts';

export type KlAutoencoderParameters = {
  readonly encoder: CoderParameters;
  /** 1 x 1, from twice the encoder's channels to mean and log-variance. */
  readonly toLatents: ConvolutionParameters;
  /** 1 x 1, from the latents' channels to those of the decoder. */
  readonly fromLatents: ConvolutionParameters;
  readonly decoder: CoderParameters;
};

/** A Gaussian with independent elements, both tensors [batch, ...dims]. */
export interface DiagonalGaussian {
  readonly mean: Tensor;
  /** Natural logarithm of the variance, in [-30, 20]. */
  readonly logVariance: Tensor;
}

type Tensors = TensorsOf<KlAutoencoderParameters>;

/**
 * The autoencoder of [rombach:22] whose latents are drawn from a Gaussian. Pictures are float [batch, channels, height, width], usually in
 * [-1, 1]; latents are [batch, code channels, height / f, width / f], not normalised. Every function throws ShapeError for other shapes.
 */
export interface KlAutoencoder {
  readonly parameters: KlAutoencoderParameters;
  /** One picture. */
  readonly input: { readonly shape: readonly [number, number, number] };
  /** Latents of one picture of that shape. */
  readonly latents: { readonly shape: readonly [number, number, number] };
  encode(parameters: Tensors, pictures: Tensor): DiagonalGaussian;
  /** Latents to pictures, not clipped. */
  decode(parameters: Tensors, latents: Tensor): Tensor;
}

/** Bounds of the log-variance, beyond which nothing has a gradient: those of the published code. */
const LOG_VARIANCE = [-30, 20] as const;

/**
 * mean + exp(logVariance / 2) · noise [kingma:14], of the shape of the mean.
 * @param noise  standard normal, of the shape of the mean.
 * @throws ShapeError if it has another.
 */
export function sampleGaussian({ mean, logVariance }: DiagonalGaussian, noise: Tensor): Tensor {
  if (!sameShape(noise.shape, mean.shape)) {
    const expected = `\`noise\` to be ${formatShape(mean.shape)}`;
    throw new ShapeError({ expected, got: formatShape(noise.shape), where: 'models/kl-autoencoder' });
  }
  return add(mean, multiply(exp(multiply(logVariance, 0.5)), noise));
}

/** Divergence KL(Gaussian || standard normal) in nats, summed over a sample's elements, [batch]. Source: [kingma:14], appendix B. */
export function gaussianDivergence({ mean, logVariance }: DiagonalGaussian): Tensor {
  const twice = subtract(add(multiply(mean, mean), exp(logVariance)), add(logVariance, 1));
  return multiply(reduceSum(twice, { axes: mean.shape.map((_, axis) => axis).slice(1) }), 0.5);
}

/** @throws ConfigError if sizes, attention or groups of 32 channels do not fit. */
export function klAutoencoder(options: AutoencoderOptions): KlAutoencoder {
  const { shape, latentChannels, codeChannels = latentChannels } = options;
  const factor = reduction(options);
  const layers = {
    encoder: encoder(options, 2 * latentChannels),
    toLatents: convolution(2 * latentChannels, 2 * codeChannels, { kernel: 1 }),
    fromLatents: convolution(codeChannels, latentChannels, { kernel: 1 }),
    decoder: decoder(options),
  };
  return {
    parameters: {
      encoder: layers.encoder.parameters,
      toLatents: layers.toLatents.parameters,
      fromLatents: layers.fromLatents.parameters,
      decoder: layers.decoder.parameters,
    },
    input: { shape },
    latents: { shape: [codeChannels, shape[1] / factor, shape[2] / factor] },
    encode(parameters, pictures) {
      const both = layers.toLatents.apply(parameters.toLatents, layers.encoder.apply(parameters.encoder, pictures));
      const [mean, logVariance] = split(both, 2, 1);
      return { mean, logVariance: clip(logVariance, ...LOG_VARIANCE) };
    },
    decode: (parameters, latents) =>
      layers.decoder.apply(parameters.decoder, layers.fromLatents.apply(parameters.fromLatents, latents)),
  };
}

/** Autoencoders by name. */
export const klAutoencoders = {
  /** Pictures of 256 x 256 to 4 x 32 x 32 latents: the layout of Stable Diffusion's first autoencoder [rombach:22]. */
  f8: {
    shape: [3, 256, 256],
    channels: 128,
    multipliers: [1, 2, 4, 4],
    blocks: 2,
    attentionResolutions: [],
    latentChannels: 4,
  },
} as const satisfies Readonly<Record<string, AutoencoderOptions>>;
