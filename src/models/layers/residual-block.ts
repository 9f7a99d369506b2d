import { add, silu, split } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { TensorsOf } from '../parameters.ts';
import { type ConvolutionParameters, convolution, zeroConvolution } from './convolution.ts';
import { groupNormLayer, type NormParameters } from './group-norm.ts';
import type { Layer } from './layer.ts';
import { type LinearParameters, linear } from './linear.ts';

export interface ConditionedMap {
  /** [batch, channels, height, width]. */
  readonly x: Tensor;
  /** SiLU of the embedding of time and label, [batch, features]. */
  readonly condition: Tensor;
}

export type ResidualParameters = {
  readonly norm1: NormParameters;
  readonly convolution1: ConvolutionParameters;
  /** From the condition to scale and shift of the second norm: [2 outputs, features]. */
  readonly modulation: LinearParameters;
  readonly norm2: NormParameters;
  readonly convolution2: ConvolutionParameters;
  /** 1 x 1 convolution, where the numbers of channels differ. */
  readonly skip?: ConvolutionParameters;
};

export interface ResidualOptions {
  /** Features of the condition. */
  readonly features: number;
  /** Groups of the norms. */
  readonly groups: number;
}

/**
 * skip(x) + conv2(silu(norm2(conv1(silu(norm1(x)))) · (1 + scale) + shift)); scale and shift are linear in the condition, and
 * conv2 starts as zero. Source: [dhariwal:21], section 3.
 */
export function residualBlock(
  inputs: number,
  outputs: number,
  { features, groups }: ResidualOptions,
): Layer<ResidualParameters, ConditionedMap> {
  const norm1 = groupNormLayer(inputs, groups);
  const convolution1 = convolution(inputs, outputs);
  const modulation = linear(features, 2 * outputs);
  const norm2 = groupNormLayer(outputs, groups);
  const convolution2 = convolution(outputs, outputs, zeroConvolution);
  const skip = inputs === outputs ? null : convolution(inputs, outputs, { kernel: 1 });
  return {
    parameters: {
      norm1: norm1.parameters,
      convolution1: convolution1.parameters,
      modulation: modulation.parameters,
      norm2: norm2.parameters,
      convolution2: convolution2.parameters,
      ...(skip === null ? {} : { skip: skip.parameters }),
    },
    apply(parameters: TensorsOf<ResidualParameters>, { x, condition }) {
      const first = convolution1.apply(parameters.convolution1, silu(norm1.apply(parameters.norm1, x)));
      const [scale, shift] = split(modulation.apply(parameters.modulation, condition), 2, 1);
      const second = silu(norm2.apply(parameters.norm2, first, { scale, shift }));
      const straight = skip === null || parameters.skip === undefined ? x : skip.apply(parameters.skip, x);
      return add(straight, convolution2.apply(parameters.convolution2, second));
    },
  };
}
