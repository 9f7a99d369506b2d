import { add, matmul, reshape } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { TensorsOf } from '../parameters.ts';
import { channelsFirstAttention, headWidth } from './attention.ts';
import { groupNormLayer, type NormParameters } from './group-norm.ts';
import type { Layer } from './layer.ts';
import { type LinearOptions, type LinearParameters, linear, zeroStart } from './linear.ts';

export type AttentionBlockParameters = {
  readonly norm: NormParameters;
  readonly query: LinearParameters;
  readonly key: LinearParameters;
  readonly value: LinearParameters;
  readonly output: LinearParameters;
};

/** W x + b on feature maps, [batch, inputs, positions] to [batch, outputs, positions]. */
function project({ weight, bias }: TensorsOf<LinearParameters>, x: Tensor): Tensor {
  return add(matmul(weight, x), reshape(bias, [-1, 1]));
}

export interface AttentionBlockOptions {
  readonly heads: number;
  /** Groups of the norm. */
  readonly groups: number;
  /** Added to variances in the norm. Default 1e-5. */
  readonly epsilon?: number;
  /** Start of query, key and value. Default uniform with bound 1 / sqrt(channels). */
  readonly start?: LinearOptions;
  /** Start of the output. Default zero. */
  readonly outputStart?: LinearOptions;
}

/**
 * x + output(attention(norm(x))) between all positions of a feature map; the output starts as zero by default. Source: [dhariwal:21].
 * @throws ConfigError unless `heads` and `groups` divide the channels.
 */
export function attentionBlock(
  channels: number,
  { heads, groups, epsilon = 1e-5, start = {}, outputStart = zeroStart }: AttentionBlockOptions,
): Layer<AttentionBlockParameters> {
  headWidth(channels, heads);
  const norm = groupNormLayer(channels, groups, { epsilon });
  const { parameters: projection } = linear(channels, channels, start);
  return {
    parameters: {
      norm: norm.parameters,
      query: projection,
      key: projection,
      value: projection,
      output: linear(channels, channels, outputStart).parameters,
    },
    apply(parameters, x) {
      const [batch, , ...positions] = x.shape;
      const flat = reshape(norm.apply(parameters.norm, x), [batch, channels, -1]);
      const query = project(parameters.query, flat);
      const key = project(parameters.key, flat);
      const value = project(parameters.value, flat);
      const mixed = project(parameters.output, channelsFirstAttention({ query, key, value }, heads));
      return add(x, reshape(mixed, [batch, channels, ...positions]));
    },
  };
}
