import { add, multiply, reshape, silu } from '../../engine/ops.ts';
import { constantly, type Initializer, type TensorsOf, xavierUniform } from '../parameters.ts';
import { type AttentionBlockParameters, attentionBlock } from './attention-block.ts';
import { type ConvolutionParameters, convolution } from './convolution.ts';
import { groupNormLayer, type NormParameters } from './group-norm.ts';
import type { Layer } from './layer.ts';
import { type LinearParameters, linear } from './linear.ts';
import { type Resizing, resizings } from './resample.ts';
import type { ConditionedMap } from './residual-block.ts';

/** Added to variances in the norms. */
export const SONG_EPSILON = 1e-6;

/** Factors on Xavier-uniform starts: of attention's queries, keys and values, and of the last layer of a branch. */
const ATTENTION_START = Math.sqrt(0.2);
const LAST_START = 1e-5;

/** Groups of a norm: of four channels or more, 32 at most. */
export function songGroups(channels: number): number {
  return Math.min(32, Math.floor(channels / 4));
}

function scaled(start: Initializer, factor: number): Initializer {
  return { ...start, scale: factor * start.scale };
}

/** Convolution with a Xavier-uniform weight, times `factor`, and a bias of zero. */
export function songConvolution(inputs: number, outputs: number, { kernel = 3, factor = 1 } = {}) {
  const start = scaled(xavierUniform(inputs * kernel ** 2, outputs * kernel ** 2), factor);
  return convolution(inputs, outputs, { kernel, start, biasStart: constantly(0) });
}

/** The last convolution of a branch, which starts as almost zero. */
export function lastSongConvolution(inputs: number, outputs: number) {
  return songConvolution(inputs, outputs, { factor: LAST_START });
}

/** Linear layer with a Xavier-uniform weight and a bias of zero. */
export function songLinear(inputs: number, outputs: number) {
  return linear(inputs, outputs, { weight: xavierUniform(inputs, outputs), bias: constantly(0) });
}

export type SongBlockParameters = {
  readonly norm1: NormParameters;
  readonly convolution1: ConvolutionParameters;
  /** From the condition to a shift before the second norm: [outputs, features]. */
  readonly modulation: LinearParameters;
  readonly norm2: NormParameters;
  readonly convolution2: ConvolutionParameters;
  /** 1 x 1 convolution, where the numbers of channels or the sizes differ. */
  readonly skip?: ConvolutionParameters;
  readonly attention?: AttentionBlockParameters;
};

export interface SongBlockOptions {
  /** Features of the condition. */
  readonly features: number;
  /** Change of size in front of the first convolution and of the skip. Default none. */
  readonly resize?: Resizing | null;
  /** Whether attention with one head follows. Default false. */
  readonly attention?: boolean;
}

/** Attention with one head, or none. */
function songAttention(channels: number, wanted: boolean) {
  if (!wanted) return null;
  const zero = constantly(0);
  return attentionBlock(channels, {
    heads: 1,
    groups: songGroups(channels),
    epsilon: SONG_EPSILON,
    start: { weight: scaled(xavierUniform(channels, 3 * channels), ATTENTION_START), bias: zero },
    outputStart: { weight: scaled(xavierUniform(channels, channels), LAST_START), bias: zero },
  });
}

/**
 * h = (skip(r(x)) + conv2(silu(norm2(conv1(r(silu(norm1(x)))) + shift)))) / sqrt(2), r the change of size and the shift linear in the
 * condition; with attention, then (h + output(attention(norm(h)))) / sqrt(2). Source: DDPM++ of [song:21], appendix H, as [karras:22]
 * set it up (appendix F).
 */
export function songBlock(
  inputs: number,
  outputs: number,
  { features, resize = null, attention: attends = false }: SongBlockOptions,
): Layer<SongBlockParameters, ConditionedMap> {
  const norm1 = groupNormLayer(inputs, songGroups(inputs), { epsilon: SONG_EPSILON });
  const convolution1 = songConvolution(inputs, outputs);
  const modulation = songLinear(features, outputs);
  const norm2 = groupNormLayer(outputs, songGroups(outputs), { epsilon: SONG_EPSILON });
  const convolution2 = lastSongConvolution(outputs, outputs);
  const skip = inputs === outputs && resize === null ? null : songConvolution(inputs, outputs, { kernel: 1 });
  const attention = songAttention(outputs, attends);
  const resized = resize === null ? null : resizings[resize];
  return {
    parameters: {
      norm1: norm1.parameters,
      convolution1: convolution1.parameters,
      modulation: modulation.parameters,
      norm2: norm2.parameters,
      convolution2: convolution2.parameters,
      ...(skip === null ? {} : { skip: skip.parameters }),
      ...(attention === null ? {} : { attention: attention.parameters }),
    },
    apply(parameters: TensorsOf<SongBlockParameters>, { x, condition }) {
      const normal = silu(norm1.apply(parameters.norm1, x));
      const first = convolution1.apply(parameters.convolution1, resized?.(normal) ?? normal);
      const shift = reshape(modulation.apply(parameters.modulation, condition), [-1, outputs, 1, 1]);
      const second = silu(norm2.apply(parameters.norm2, add(first, shift)));
      const input = resized?.(x) ?? x;
      const straight = skip === null || parameters.skip === undefined ? input : skip.apply(parameters.skip, input);
      const h = multiply(add(straight, convolution2.apply(parameters.convolution2, second)), Math.SQRT1_2);
      if (attention === null || parameters.attention === undefined) return h;
      return multiply(attention.apply(parameters.attention, h), Math.SQRT1_2);
    },
  };
}
