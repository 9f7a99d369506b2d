import { conv2d, convTranspose2d, type Padding } from '../../engine/ops.ts';
import { constantly, fanInUniform, type Initializer, type ParameterSpec, parameter } from '../parameters.ts';
import type { Layer } from './layer.ts';

export type ConvolutionParameters = {
  /** [outputs, inputs, kernel, kernel]; of a transposed convolution [inputs, outputs, kernel, kernel]. */
  readonly weight: ParameterSpec;
  /** [outputs]. */
  readonly bias: ParameterSpec;
};

export interface ConvolutionOptions {
  /** Side of the kernel. Default 3. */
  readonly kernel?: number;
  /** Default 1. */
  readonly stride?: number;
  /** Zeros around the input. Default (kernel - 1) / 2 on all sides. */
  readonly padding?: Padding;
  /** Start of weight and bias. Default uniform with bound 1 / sqrt(inputs · kernel · kernel). */
  readonly start?: Initializer;
  /** Start of the bias. Default `start`. */
  readonly biasStart?: Initializer;
}

/** Start of a convolution whose output starts as zero. */
export const zeroConvolution: ConvolutionOptions = { start: constantly(0) };

/**
 * Convolution of [batch, inputs, height, width]; with the default padding and an odd kernel to
 * [batch, outputs, height / stride, width / stride].
 */
export function convolution(
  inputs: number,
  outputs: number,
  {
    kernel = 3,
    stride = 1,
    padding = (kernel - 1) / 2,
    start = fanInUniform(inputs * kernel * kernel),
    biasStart = start,
  }: ConvolutionOptions = {},
): Layer<ConvolutionParameters> {
  return {
    parameters: {
      weight: parameter([outputs, inputs, kernel, kernel], start),
      bias: parameter([outputs], biasStart),
    },
    apply: ({ weight, bias }, x) => conv2d(x, weight, { stride, padding, bias }),
  };
}

/** Transposed convolution with kernel 4 and stride 2, which doubles height and width. */
export function doublingConvolution(inputs: number, outputs: number): Layer<ConvolutionParameters> {
  // PyTorch counts a transposed kernel's fan-in along its second axis.
  const start = fanInUniform(outputs * 4 * 4);
  return {
    parameters: { weight: parameter([inputs, outputs, 4, 4], start), bias: parameter([outputs], start) },
    apply: ({ weight, bias }, x) => convTranspose2d(x, weight, { stride: 2, padding: 1, bias }),
  };
}
