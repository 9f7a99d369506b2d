import { add, silu } from '../../engine/ops.ts';
import type { TensorsOf } from '../parameters.ts';
import { type ConvolutionParameters, convolution } from './convolution.ts';
import { groupNormLayer, type NormParameters } from './group-norm.ts';
import type { Layer } from './layer.ts';

export type PlainResidualParameters = {
  readonly norm1: NormParameters;
  readonly convolution1: ConvolutionParameters;
  readonly norm2: NormParameters;
  readonly convolution2: ConvolutionParameters;
  /** 1 x 1 convolution, where the numbers of channels differ. */
  readonly skip?: ConvolutionParameters;
};

export interface PlainResidualOptions {
  /** Groups of the norms. */
  readonly groups: number;
  /** Added to variances in the norms. */
  readonly epsilon: number;
}

/**
 * skip(x) + conv2(silu(norm2(conv1(silu(norm1(x)))))), a residual block without a condition: [batch, inputs, height, width] to
 * [batch, outputs, height, width]. Source: [esser:21], supplement.
 * @throws ConfigError unless `groups` divides both numbers of channels.
 */
export function plainResidualBlock(
  inputs: number,
  outputs: number,
  { groups, epsilon }: PlainResidualOptions,
): Layer<PlainResidualParameters> {
  const norm1 = groupNormLayer(inputs, groups, { epsilon });
  const convolution1 = convolution(inputs, outputs);
  const norm2 = groupNormLayer(outputs, groups, { epsilon });
  const convolution2 = convolution(outputs, outputs);
  const skip = inputs === outputs ? null : convolution(inputs, outputs, { kernel: 1 });
  return {
    parameters: {
      norm1: norm1.parameters,
      convolution1: convolution1.parameters,
      norm2: norm2.parameters,
      convolution2: convolution2.parameters,
      ...(skip === null ? {} : { skip: skip.parameters }),
    },
    apply(parameters: TensorsOf<PlainResidualParameters>, x) {
      const first = convolution1.apply(parameters.convolution1, silu(norm1.apply(parameters.norm1, x)));
      const second = convolution2.apply(parameters.convolution2, silu(norm2.apply(parameters.norm2, first)));
      const straight = skip === null || parameters.skip === undefined ? x : skip.apply(parameters.skip, x);
      return add(straight, second);
    },
  };
}
