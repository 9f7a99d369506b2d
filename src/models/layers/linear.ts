import { add, matmul, reshape } from '../../engine/ops.ts';
import { elementCount } from '../../engine/shape.ts';
import { constantly, fanInUniform, type Initializer, type ParameterSpec, parameter } from '../parameters.ts';
import type { Layer } from './layer.ts';

export type LinearParameters = {
  /** [outputs, inputs]. */
  readonly weight: ParameterSpec;
  /** [outputs]. */
  readonly bias: ParameterSpec;
};

export interface LinearOptions {
  /** Start of the weight. Default uniform with bound 1 / sqrt(inputs). */
  readonly weight?: Initializer;
  /** Start of the bias. Default as the weight's default. */
  readonly bias?: Initializer;
}

/** Options of a layer whose output starts as zero. */
export const zeroStart: LinearOptions = { weight: constantly(0), bias: constantly(0) };

/** x W^T + b over the last axis: [..., inputs] to [..., outputs], as one product over all rows. */
export function linear(
  inputs: number,
  outputs: number,
  { weight = fanInUniform(inputs), bias = fanInUniform(inputs) }: LinearOptions = {},
): Layer<LinearParameters> {
  return {
    parameters: { weight: parameter([outputs, inputs], weight), bias: parameter([outputs], bias) },
    apply(parameters, x) {
      const before = x.shape.slice(0, -1);
      const rows = reshape(x, [elementCount(before), inputs]);
      return reshape(add(matmul(rows, parameters.weight, { transposeB: true }), parameters.bias), [...before, outputs]);
    },
  };
}
