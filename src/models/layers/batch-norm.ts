import { add, divide, multiply, reduceMean, reshape, sqrt, subtract } from '../../engine/ops.ts';
import { constantly, type Initializer, parameter } from '../parameters.ts';
import type { NormParameters } from './group-norm.ts';
import type { Layer } from './layer.ts';

export interface BatchNormOptions {
  /** Added to variances. Default 1e-5. */
  readonly epsilon?: number;
  /** Start of the scale. Default 1. */
  readonly start?: Initializer;
}

/**
 * Batch norm [ioffe:15] with the statistics of the batch it is given, as in training; there are no running ones. Mean and biased
 * variance of a channel are taken over batch and positions of [batch, channels, height, width].
 */
export function batchNorm(
  channels: number,
  { epsilon = 1e-5, start = constantly(1) }: BatchNormOptions = {},
): Layer<NormParameters> {
  return {
    parameters: { scale: parameter([channels], start), bias: parameter([channels], constantly(0)) },
    apply({ scale, bias }, x) {
      const axes = [0, 2, 3];
      const perChannel = (values: typeof x) => reshape(values, [1, channels, 1, 1]);
      const centred = subtract(x, reduceMean(x, { axes, keepDims: true }));
      const variance = reduceMean(multiply(centred, centred), { axes, keepDims: true });
      const gain = divide(perChannel(scale), sqrt(add(variance, epsilon)));
      return add(multiply(centred, gain), perChannel(bias));
    },
  };
}
