import type { Tensor } from '../engine/tensor.ts';
import { type AutoencoderOptions, type CoderParameters, decoder, encoder, reduction } from './autoencoder.ts';
import { type ConvolutionParameters, convolution } from './layers/convolution.ts';
import type { ParameterSpec, TensorsOf } from './parameters.ts';
import { type Quantized, vectorQuantizer } from './vector-quantizer.ts';

export interface VqVaeOptions extends AutoencoderOptions {
  /** Number of code vectors. */
  readonly codes: number;
  /** Factor of the commitment loss. */
  readonly commitment: number;
}

export type VqVaeParameters = {
  readonly encoder: CoderParameters;
  /** 1 x 1, from the encoder's channels to those of a code. */
  readonly toLatents: ConvolutionParameters;
  /** [codes, channels]. */
  readonly codebook: ParameterSpec;
  /** 1 x 1, from a code's channels to those of the decoder. */
  readonly fromLatents: ConvolutionParameters;
  readonly decoder: CoderParameters;
};

type Tensors = TensorsOf<VqVaeParameters>;

/**
 * The autoencoder of [oord:17] with the networks of [esser:21]. Pictures are float [batch, channels, height, width], usually in [-1, 1];
 * latents are [batch, code channels, height / f, width / f], not normalised. Every function throws ShapeError for other shapes.
 */
export interface VqVae {
  readonly parameters: VqVaeParameters;
  /** One picture. */
  readonly input: { readonly shape: readonly [number, number, number] };
  /** Latents of one picture of that shape. */
  readonly latents: { readonly shape: readonly [number, number, number] };
  readonly codes: number;
  /** Pictures to latents that are not quantised yet: what latent flow matching models. */
  encode(parameters: Tensors, pictures: Tensor): Tensor;
  quantize(parameters: Tensors, latents: Tensor): Quantized;
  /** Quantised latents to pictures, not clipped. */
  decode(parameters: Tensors, latents: Tensor): Tensor;
  /** Indices of codes, int [batch, height / f, width / f], to pictures. */
  decodeIndices(parameters: Tensors, indices: Tensor): Tensor;
}

/** @throws ConfigError if sizes, attention, groups of 32 channels or the codebook's numbers do not fit. */
export function vqVae(options: VqVaeOptions): VqVae {
  const { shape, latentChannels, codeChannels = latentChannels, codes, commitment } = options;
  const factor = reduction(options);
  const layers = {
    encoder: encoder(options, latentChannels),
    toLatents: convolution(latentChannels, codeChannels, { kernel: 1 }),
    quantizer: vectorQuantizer({ codes, channels: codeChannels, commitment }),
    fromLatents: convolution(codeChannels, latentChannels, { kernel: 1 }),
    decoder: decoder(options),
  };
  const decode = (parameters: Tensors, latents: Tensor) =>
    layers.decoder.apply(parameters.decoder, layers.fromLatents.apply(parameters.fromLatents, latents));
  return {
    parameters: {
      encoder: layers.encoder.parameters,
      toLatents: layers.toLatents.parameters,
      codebook: layers.quantizer.parameters,
      fromLatents: layers.fromLatents.parameters,
      decoder: layers.decoder.parameters,
    },
    input: { shape },
    latents: { shape: [codeChannels, shape[1] / factor, shape[2] / factor] },
    codes,
    encode: (parameters, pictures) =>
      layers.toLatents.apply(parameters.toLatents, layers.encoder.apply(parameters.encoder, pictures)),
    quantize: (parameters, latents) => layers.quantizer.quantize(parameters.codebook, latents),
    decode,
    decodeIndices: (parameters, indices) => decode(parameters, layers.quantizer.vectors(parameters.codebook, indices)),
  };
}

/** Autoencoders by name. */
export const vqVaes = {
  /**
   * Pictures of 256 x 256 to 4 x 32 x 32 latents, as in [briq:26], C.1: multipliers [1, 2, 4, 4], 8,192 codes of 4 numbers. Attention, which
   * the paper does not mention, in the middle alone.
   */
  f8: {
    shape: [3, 256, 256],
    channels: 128,
    multipliers: [1, 2, 4, 4],
    blocks: 2,
    attentionResolutions: [],
    latentChannels: 4,
    codes: 8192,
    commitment: 0.25,
  },
} as const satisfies Readonly<Record<string, VqVaeOptions>>;
