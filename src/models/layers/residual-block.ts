import { add, reshape, silu, split } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { TensorsOf } from '../parameters.ts';
import { type ConvolutionParameters, convolution, zeroConvolution } from './convolution.ts';
import { groupNormLayer, type NormParameters } from './group-norm.ts';
import type { Layer } from './layer.ts';
import { type LinearParameters, linear } from './linear.ts';
import { type Resizing, resizings } from './resample.ts';

export interface ConditionedMap {
  /** [batch, channels, height, width]. */
  readonly x: Tensor;
  /** SiLU of the embedding of time and label, [batch, features]. */
  readonly condition: Tensor;
}

export type ResidualParameters = {
  readonly norm1: NormParameters;
  readonly convolution1: ConvolutionParameters;
  /** From the condition to scale and shift of the second norm, [2 outputs, features], or to a shift before it, [outputs, features]. */
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
  /** Whether the condition scales and shifts the second norm's result, or is added before the norm. Default `scale-shift`. */
  readonly conditioning?: Conditioning;
  /** Change of size in front of the first convolution and in the skip. Default none. */
  readonly resize?: Resizing | null;
}

/** How a residual block takes its condition: scale and shift [dhariwal:21], or a shift alone [ho:20]. */
export type Conditioning = 'scale-shift' | 'shift';

/**
 * skip(r(x)) + conv2(silu(norm2(conv1(r(silu(norm1(x))))) · (1 + scale) + shift)), r the change of size; scale and shift are linear
 * in the condition, and conv2 starts as zero. Source: [dhariwal:21], section 3. With the conditioning `shift`:
 * norm2(conv1(...) + shift), as in [ho:20].
 */
export function residualBlock(
  inputs: number,
  outputs: number,
  { features, groups, conditioning = 'scale-shift', resize = null }: ResidualOptions,
): Layer<ResidualParameters, ConditionedMap> {
  const norm1 = groupNormLayer(inputs, groups);
  const convolution1 = convolution(inputs, outputs);
  const modulation = linear(features, conditioning === 'shift' ? outputs : 2 * outputs);
  const resized = (h: Tensor) => (resize === null ? h : resizings[resize](h));
  const norm2 = groupNormLayer(outputs, groups);
  const convolution2 = convolution(outputs, outputs, zeroConvolution);
  const modulatedNorm = (tensors: TensorsOf<NormParameters>, h: Tensor, told: Tensor) => {
    if (conditioning === 'shift') return norm2.apply(tensors, add(h, reshape(told, [-1, outputs, 1, 1])));
    const [scale, shift] = split(told, 2, 1);
    return norm2.apply(tensors, h, { scale, shift });
  };
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
      const first = convolution1.apply(parameters.convolution1, resized(silu(norm1.apply(parameters.norm1, x))));
      const told = modulation.apply(parameters.modulation, condition);
      const second = silu(modulatedNorm(parameters.norm2, first, told));
      const small = resized(x);
      const straight = skip === null || parameters.skip === undefined ? small : skip.apply(parameters.skip, small);
      return add(straight, convolution2.apply(parameters.convolution2, second));
    },
  };
}
