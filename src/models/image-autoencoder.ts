/** What every autoencoder of images offers to training, encoding and decoding, and the two kinds as such. */
import { multiply } from '../engine/ops.ts';
import { elementCount } from '../engine/shape.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { TensorTree } from '../engine/trace.ts';
import type { RandomStream } from '../numerics/stream.ts';
import type { AutoencoderOptions } from './autoencoder.ts';
import { type CodebookUsage, codebookUsage, codeCounts, reviveDeadCodes } from './codebook-usage.ts';
import { gaussianDivergence, type KlAutoencoderParameters, klAutoencoder, sampleGaussian } from './kl-autoencoder.ts';
import type { ParameterTree, TensorsOf } from './parameters.ts';
import { type VqVaeOptions, type VqVaeParameters, vqVae } from './vq-vae.ts';

/** Pictures through the autoencoder, as training sees them. */
export interface Reconstruction {
  /** float [batch, channels, height, width], not clipped. */
  readonly pictures: Tensor;
  /** The loss of what lies between encoder and decoder, with its weight, [batch]. */
  readonly bottleneck: Tensor;
  /** The code of each position, int64 [batch, height, width]; `null` without a codebook. */
  readonly indices: Tensor | null;
  /** Latents before they are quantised or drawn, float [batch, ...latents]. */
  readonly latents: Tensor;
}

/** A learned table of latent vectors. */
export interface Codebook {
  /** Path of its parameter, [codes, channels]. */
  readonly path: string;
  readonly codes: number;
  readonly channels: number;
  /** How many positions chose each code, in a graph: float32 [codes]. */
  counts(indices: Tensor): Tensor;
  /** Statistics of such counts. @throws ConfigError if nothing was counted. */
  usage(counts: ArrayLike<number>): CodebookUsage;
  /**
   * The codebook with every code of fewer than `least` choices replaced by the latent vector of a position, drawn with replacement.
   * @param options.latents  float32 [batch, channels, positions].
   */
  revive(
    codebook: Float32Array,
    options: {
      readonly counts: ArrayLike<number>;
      readonly least: number;
      readonly latents: Float32Array;
      readonly positions: number;
      readonly random: RandomStream;
    },
  ): { readonly codebook: Float32Array; readonly revived: readonly number[] };
}

/**
 * An autoencoder as pure functions of its parameters. Pictures are float [batch, channels, height, width] in [-1, 1]; latents are
 * [batch, ...latents.shape], not normalised. Sides other than those of `input` go through the same network. Every function throws
 * ShapeError for other shapes.
 */
export interface ImageAutoencoder {
  readonly parameters: ParameterTree;
  /** One picture. */
  readonly input: { readonly shape: readonly [number, number, number] };
  /** Latents of one picture of that shape. */
  readonly latents: { readonly shape: readonly [number, number, number] };
  /** Path of the weight of the decoder's last layer, by which the adversarial loss is weighed. */
  readonly lastLayer: string;
  /** `null` where latents are not quantised. */
  readonly codebook: Codebook | null;
  /** Whether `reconstruct` draws latents, from noise of their shape. */
  readonly noisy: boolean;
  /**
   * Pictures to latents: of a VQ-VAE the encoder's output before it is quantised, as latent flow matching models it; of a KL autoencoder
   * the means.
   */
  encode(parameters: TensorTree, pictures: Tensor): Tensor;
  /** Latents to the nearest codes; latents themselves without a codebook. */
  quantize(parameters: TensorTree, latents: Tensor): Tensor;
  /** Latents to pictures, not clipped; where there is a codebook, they are quantised first, which leaves codes as they are. */
  decode(parameters: TensorTree, latents: Tensor): Tensor;
  /**
   * Pictures through encoder, bottleneck and decoder.
   * @param noise  standard normal of the shape of the latents where `noisy`; else, or where the means shall be decoded, `null`.
   */
  reconstruct(parameters: TensorTree, pictures: Tensor, noise: Tensor | null): Reconstruction;
}

const lastLayer = 'decoder.output.weight';

/** Maps [batch, channels, positions] to rows [batch · positions, channels]. */
function rowsOf(maps: Float32Array, channels: number, positions: number): Float32Array {
  const rows = new Float32Array(maps.length);
  for (let i = 0; i < maps.length; i++) {
    const [sample, channel] = [Math.floor(i / (channels * positions)), Math.floor(i / positions) % channels];
    rows[(sample * positions + (i % positions)) * channels + channel] = maps[i];
  }
  return rows;
}

/** `vqVae` as an image autoencoder. @throws ConfigError as it does. */
export function vqAutoencoder(options: VqVaeOptions): ImageAutoencoder {
  const network = vqVae(options);
  const { codes, latents } = network;
  type Tensors = TensorsOf<VqVaeParameters>;
  return {
    parameters: network.parameters,
    input: network.input,
    latents,
    lastLayer,
    noisy: false,
    codebook: {
      path: 'codebook',
      codes,
      channels: latents.shape[0],
      counts: (indices) => codeCounts(indices, codes),
      usage: codebookUsage,
      revive(codebook, { latents: maps, positions, ...rest }) {
        return reviveDeadCodes(codebook, { ...rest, rows: rowsOf(maps, latents.shape[0], positions) });
      },
    },
    encode: (parameters: Tensors, pictures) => network.encode(parameters, pictures),
    quantize: (parameters: Tensors, maps) => network.quantize(parameters, maps).quantized,
    decode: (parameters: Tensors, maps) => network.decode(parameters, network.quantize(parameters, maps).quantized),
    reconstruct(parameters: Tensors, pictures) {
      const maps = network.encode(parameters, pictures);
      const { quantized, indices, loss } = network.quantize(parameters, maps);
      return {
        pictures: network.decode(parameters, quantized),
        bottleneck: loss,
        indices,
        latents: maps,
      };
    },
  };
}

export interface KlImageOptions extends AutoencoderOptions {
  /**
   * Factor of the divergence from the standard normal, in nats summed over a sample's latents, against errors that are summed over its
   * pixels' channels, as in the published code of [rombach:22].
   */
  readonly divergence: number;
}

/** `klAutoencoder` as an image autoencoder. @throws ConfigError as it does. */
export function klImageAutoencoder({ divergence, ...options }: KlImageOptions): ImageAutoencoder {
  // Errors are means here.
  const factor = divergence / elementCount(options.shape);
  const network = klAutoencoder(options);
  type Tensors = TensorsOf<KlAutoencoderParameters>;
  return {
    parameters: network.parameters,
    input: network.input,
    latents: network.latents,
    lastLayer,
    noisy: true,
    codebook: null,
    encode: (parameters: Tensors, pictures) => network.encode(parameters, pictures).mean,
    quantize: (_parameters, latents) => latents,
    decode: (parameters: Tensors, latents) => network.decode(parameters, latents),
    reconstruct(parameters: Tensors, pictures, noise) {
      const gaussian = network.encode(parameters, pictures);
      const drawn = noise === null ? gaussian.mean : sampleGaussian(gaussian, noise);
      return {
        pictures: network.decode(parameters, drawn),
        bottleneck: multiply(gaussianDivergence(gaussian), factor),
        indices: null,
        latents: gaussian.mean,
      };
    },
  };
}
