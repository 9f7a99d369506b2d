import { add, exp, gelu, geluTanh, maximum, minimum, multiply, relu, silu, subtract, tanh } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';

/** Constants that make mean 0 and variance 1 a fixed point [klambauer:17, eq. (14)]. */
const SELU_ALPHA = 1.6732632423543772;
const SELU_LAMBDA = 1.0507009873554805;

/** lambda x where positive, lambda alpha (e^x - 1) elsewhere [klambauer:17]. */
export function selu(x: Tensor): Tensor {
  const negative = multiply(subtract(exp(minimum(x, 0)), 1), SELU_ALPHA);
  return multiply(add(maximum(x, 0), negative), SELU_LAMBDA);
}

/** Activation functions by the names that configs use. */
export const activations = { silu, selu, gelu, geluTanh, relu, tanh };

export type Activation = keyof typeof activations;
