import { add, groupNorm, multiply } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { ConfigError } from '../../errors.ts';
import { constantly, type ParameterSpec, parameter, type TensorsOf } from '../parameters.ts';

export type NormParameters = {
  /** [channels], starts as 1. */
  readonly scale: ParameterSpec;
  /** [channels], starts as 0. */
  readonly bias: ParameterSpec;
};

/** Scale and shift that a condition gives, each [batch, channels]. */
export interface Modulation {
  readonly scale: Tensor;
  readonly shift: Tensor;
}

export interface GroupNormLayerOptions {
  /** Added to variances. Default 1e-5. */
  readonly epsilon?: number;
}

export interface GroupNormLayer {
  readonly parameters: NormParameters;
  /**
   * norm(x) · scale + bias, then, with a modulation, · (1 + modulation.scale) + modulation.shift.
   * @param x  [batch, channels, ...positions].
   */
  apply(parameters: TensorsOf<NormParameters>, x: Tensor, modulation?: Modulation): Tensor;
}

/**
 * Group norm [wu:18] with an affine map a channel, optionally modulated by a condition as in [dhariwal:21]. Both maps are
 * multiplied out on [batch, channels] first, so that the feature map is scaled and shifted once.
 * @throws ConfigError unless `groups` divides the channels.
 */
export function groupNormLayer(
  channels: number,
  groups: number,
  { epsilon = 1e-5 }: GroupNormLayerOptions = {},
): GroupNormLayer {
  if (channels % groups !== 0) {
    throw new ConfigError({
      expected: `\`groups\` to divide ${channels} channels`,
      got: `${groups}`,
      where: 'models/layers groupNormLayer',
    });
  }
  return {
    parameters: { scale: parameter([channels], constantly(1)), bias: parameter([channels], constantly(0)) },
    apply({ scale, bias }, x, modulation) {
      if (modulation === undefined) return groupNorm(x, groups, { scale, bias, epsilon });
      const gain = add(modulation.scale, 1);
      const shift = add(multiply(gain, bias), modulation.shift);
      return groupNorm(x, groups, { scale: multiply(gain, scale), bias: shift, epsilon });
    },
  };
}
