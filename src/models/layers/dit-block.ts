/** The transformer block of DiT: attention and an MLP, each shifted, scaled and gated by the condition ("adaLN-Zero"). */
import { add, geluTanh, layerNorm, multiply, split } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { constantly, xavierUniform } from '../parameters.ts';
import { type AttentionParameters, selfAttention } from './attention.ts';
import { type Layer, parametersOf } from './layer.ts';
import { type LinearParameters, linear, zeroStart } from './linear.ts';

/** Added to variances in the layer norms of DiT; its published code uses this value. */
const EPSILON = 1e-6;

/** A linear layer with the start that DiT's layers share: Xavier-uniform weight, zero bias. */
export function xavierLinear(inputs: number, outputs: number) {
  return linear(inputs, outputs, { weight: xavierUniform(inputs, outputs), bias: constantly(0) });
}

/**
 * Layer norm without parameters, scaled by 1 + scale and shifted.
 * @param x  [tokens, batch, width].
 * @param modulation.scale  [batch, width]; `shift` likewise.
 */
export function modulatedNorm(x: Tensor, { shift, scale }: { readonly shift: Tensor; readonly scale: Tensor }): Tensor {
  return add(multiply(layerNorm(x, { epsilon: EPSILON }), add(scale, 1)), shift);
}

export interface ConditionedTokens {
  /** [tokens, batch, width]. */
  readonly x: Tensor;
  /** SiLU of the embedding of time and label, [batch, width]. */
  readonly condition: Tensor;
}

export type DitBlockParameters = {
  /** From the condition to shift, scale and gate of the attention, then of the MLP: [6 width, width]. */
  readonly modulation: LinearParameters;
  readonly attention: AttentionParameters;
  readonly expand: LinearParameters;
  readonly contract: LinearParameters;
};

/**
 * x + gate1 · attention(norm1(x)), then x + gate2 · mlp(norm2(x)); norms and gates are modulated by the condition, and the
 * modulation starts as zero, so that the block starts as the identity. Source: [peebles:23], section 3.2.
 */
export function ditBlock(
  width: number,
  { heads, mlpRatio }: { readonly heads: number; readonly mlpRatio: number },
): Layer<DitBlockParameters, ConditionedTokens> {
  const layers = {
    modulation: linear(width, 6 * width, zeroStart),
    attention: selfAttention(width, heads),
    expand: xavierLinear(width, mlpRatio * width),
    contract: xavierLinear(mlpRatio * width, width),
  };
  return {
    parameters: parametersOf(layers),
    apply(parameters, { x, condition }) {
      const [shift1, scale1, gate1, shift2, scale2, gate2] = split(
        layers.modulation.apply(parameters.modulation, condition),
        6,
        1,
      );
      const mixed = layers.attention.apply(parameters.attention, modulatedNorm(x, { shift: shift1, scale: scale1 }));
      const attended = add(x, multiply(gate1, mixed));
      const hidden = layers.expand.apply(parameters.expand, modulatedNorm(attended, { shift: shift2, scale: scale2 }));
      return add(attended, multiply(gate2, layers.contract.apply(parameters.contract, geluTanh(hidden))));
    },
  };
}
