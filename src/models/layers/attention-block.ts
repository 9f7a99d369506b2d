import { add, matmul, reshape } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { TensorsOf } from '../parameters.ts';
import { channelsFirstAttention, headWidth } from './attention.ts';
import { groupNormLayer, type NormParameters } from './group-norm.ts';
import type { Layer } from './layer.ts';
import { type LinearParameters, linear, zeroStart } from './linear.ts';

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

/**
 * x + output(attention(norm(x))) between all positions of a feature map; the output starts as zero. Source: [dhariwal:21].
 * @throws ConfigError unless `heads` and `groups` divide the channels.
 */
export function attentionBlock(
  channels: number,
  { heads, groups }: { readonly heads: number; readonly groups: number },
): Layer<AttentionBlockParameters> {
  headWidth(channels, heads);
  const norm = groupNormLayer(channels, groups);
  const { parameters: start } = linear(channels, channels);
  return {
    parameters: {
      norm: norm.parameters,
      query: start,
      key: start,
      value: start,
      output: linear(channels, channels, zeroStart).parameters,
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
