import { matmul, reshape, softmax, transpose } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { ConfigError } from '../../errors.ts';
import { constantly, type Initializer, xavierUniform } from '../parameters.ts';
import { type Layer, parametersOf } from './layer.ts';
import { type LinearParameters, linear } from './linear.ts';

/** Features of one head. @throws ConfigError unless `heads` divides the width. */
export function headWidth(width: number, heads: number): number {
  if (Number.isInteger(heads) && heads > 0 && width % heads === 0) return width / heads;
  throw new ConfigError({
    expected: `\`heads\` to divide the width ${width}`,
    got: `${heads}`,
    where: 'models/layers/attention',
  });
}

export interface Projections {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

/**
 * softmax(q k^T / sqrt(features of a head)) v for every head, all tensors [tokens, batch, width].
 *
 * Tokens stand first so that the products read queries, keys and values where they lie: a head of a sample is a matrix with
 * stride batch · width between rows, and nothing is transposed before the products. Source: [vaswani:17, eq. (1)].
 */
export function tokensFirstAttention({ query, key, value }: Projections, heads: number): Tensor {
  const [tokens, batch, width] = query.shape;
  const features = headWidth(width, heads);
  const split = (x: Tensor) => reshape(x, [tokens, batch * heads, features]);
  const scores = matmul(split(query), split(key), {
    rowsFirstA: true,
    rowsFirstB: true,
    transposeB: true,
    alpha: 1 / Math.sqrt(features),
  }); // [batch heads, tokens, tokens]
  const mixed = matmul(softmax(scores), split(value), { rowsFirstB: true }); // [batch heads, tokens, features]
  return reshape(transpose(mixed, [1, 0, 2]), [tokens, batch, width]);
}

/** `tokensFirstAttention` for feature maps, all tensors [batch, width, tokens]: a head is a block of channels, nothing is transposed. */
export function channelsFirstAttention({ query, key, value }: Projections, heads: number): Tensor {
  const [batch, width, tokens] = query.shape;
  const features = headWidth(width, heads);
  const split = (x: Tensor) => reshape(x, [batch * heads, features, tokens]);
  const scores = matmul(split(query), split(key), { transposeA: true, alpha: 1 / Math.sqrt(features) }); // [.., queries, keys]
  const mixed = matmul(split(value), softmax(scores), { transposeB: true }); // [batch heads, features, queries]
  return reshape(mixed, [batch, width, tokens]);
}

export type AttentionParameters = {
  readonly query: LinearParameters;
  readonly key: LinearParameters;
  readonly value: LinearParameters;
  readonly output: LinearParameters;
};

/**
 * Multi-head self-attention on [tokens, batch, width].
 *
 * Queries, keys and values have weights of their own. A published checkpoint with one `qkv` weight [3 width, width] holds the
 * rows of `query`, `key` and `value` in this order. The three start as such a joint weight starts: Xavier-uniform with
 * 3 width outputs.
 */
export function selfAttention(width: number, heads: number): Layer<AttentionParameters> {
  headWidth(width, heads);
  const zero = constantly(0);
  const project = (weight: Initializer) => linear(width, width, { weight, bias: zero });
  const joint = xavierUniform(width, 3 * width);
  const layers = {
    query: project(joint),
    key: project(joint),
    value: project(joint),
    output: project(xavierUniform(width, width)),
  };
  return {
    parameters: parametersOf(layers),
    apply(parameters, x) {
      const query = layers.query.apply(parameters.query, x);
      const key = layers.key.apply(parameters.key, x);
      const value = layers.value.apply(parameters.value, x);
      return layers.output.apply(parameters.output, tokensFirstAttention({ query, key, value }, heads));
    },
  };
}
