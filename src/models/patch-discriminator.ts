import { conv2d, leakyRelu } from '../engine/ops.ts';
import { formatShape } from '../engine/shape.ts';
import type { Tensor } from '../engine/tensor.ts';
import { ConfigError, ShapeError } from '../errors.ts';
import { batchNorm } from './layers/batch-norm.ts';
import { type ConvolutionParameters, convolution } from './layers/convolution.ts';
import type { NormParameters } from './layers/group-norm.ts';
import { fanInUniform, normal, type ParameterSpec, type TensorsOf } from './parameters.ts';

export interface PatchDiscriminatorOptions {
  /** Channels of a picture. */
  readonly inputs: number;
  /** Channels of the first layer; every later one has twice as many as the one before, up to 8 times these. */
  readonly channels: number;
  /** Layers between the first and the last. */
  readonly layers: number;
}

export type PatchDiscriminatorParameters = {
  readonly input: ConvolutionParameters;
  readonly layers: readonly { readonly weight: ParameterSpec; readonly norm: NormParameters }[];
  readonly output: ConvolutionParameters;
};

export interface PatchDiscriminator {
  readonly parameters: PatchDiscriminatorParameters;
  /**
   * @param x  pictures, float [batch, inputs, height, width], a batch of real or of made ones.
   * @returns logits, one a patch: float [batch, 1, height / 2^layers - 2, width / 2^layers - 2] for sides that 2^layers divides.
   * @throws ShapeError if x has other axes or channels, or is smaller than a patch needs.
   */
  apply(parameters: TensorsOf<PatchDiscriminatorParameters>, x: Tensor): Tensor;
}

const SLOPE = 0.2;

/** The published start of weights: deviation 0.02 around 0, or around 1 for scales of norms. */
const DEVIATION = 0.02;

/** Channels of the layers between the first and the last. */
export function patchWidths({ channels, layers }: PatchDiscriminatorOptions): readonly number[] {
  return Array.from({ length: layers }, (_, i) => channels * Math.min(2 ** (i + 1), 8));
}

/** A 4 x 4 convolution of the discriminator. */
function convolution4(inputs: number, outputs: number, stride: number) {
  const biasStart = fanInUniform(inputs * 16);
  return convolution(inputs, outputs, { kernel: 4, stride, padding: 1, start: normal(DEVIATION), biasStart });
}

/** A 4 x 4 convolution without bias, batch norm and leaky ReLU. */
function createLayer(inputs: number, outputs: number, stride: number) {
  const convolve = convolution4(inputs, outputs, stride);
  const norm = batchNorm(outputs, { start: { ...normal(DEVIATION), offset: 1 } });
  return {
    parameters: { weight: convolve.parameters.weight, norm: norm.parameters },
    apply: ({ weight, norm: tensors }: TensorsOf<PatchDiscriminatorParameters['layers'][number]>, x: Tensor) =>
      leakyRelu(norm.apply(tensors, conv2d(x, weight, { stride, padding: 1 })), SLOPE),
  };
}

/**
 * The PatchGAN discriminator of [isola:17], section 3.2: with 64 channels and 3 layers each logit sees 70 x 70 pixels. Batch norm takes
 * the statistics of the batch that it is given, and the layers under it have no bias, as in the published code.
 * @throws ConfigError if a size is not a positive integer.
 */
export function patchDiscriminator(options: PatchDiscriminatorOptions): PatchDiscriminator {
  const { inputs, channels, layers } = options;
  if (![inputs, channels, layers].every((size) => Number.isInteger(size) && size > 0)) {
    const expected = '`inputs`, `channels` and `layers` to be integers >= 1';
    throw new ConfigError({ expected, got: `${inputs}, ${channels}, ${layers}`, where: 'models/patch-discriminator' });
  }
  const widths = [channels, ...patchWidths(options)];
  const first = convolution4(inputs, channels, 2);
  const between = patchWidths(options).map((width, i) => createLayer(widths[i], width, i < layers - 1 ? 2 : 1));
  const last = convolution4(widths[layers], 1, 1);
  return {
    parameters: {
      input: first.parameters,
      layers: between.map((layer) => layer.parameters),
      output: last.parameters,
    },
    apply(parameters, x) {
      if (x.shape.length !== 4 || x.shape[1] !== inputs) {
        const expected = `\`x\` to be [batch, ${inputs}, height, width]`;
        throw new ShapeError({ expected, got: formatShape(x.shape), where: 'models/patch-discriminator' });
      }
      let h = leakyRelu(first.apply(parameters.input, x), SLOPE);
      for (const [i, layer] of between.entries()) h = layer.apply(parameters.layers[i], h);
      return last.apply(parameters.output, h);
    },
  };
}
