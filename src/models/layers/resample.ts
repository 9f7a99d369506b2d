/** Ways to halve and double the size of feature maps; a U-Net's config names one. */
import { averagePool2d, resizeNearest } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { convolution, doublingConvolution } from './convolution.ts';
import type { OpaqueLayer } from './layer.ts';

/** Changes of size without parameters: means of 2 x 2 pixels; repeated pixels. */
export const resizings = {
  down: (x: Tensor) => averagePool2d(x, { window: 2 }),
  up: (x: Tensor) => resizeNearest(x, { scale: 2 }),
} as const;

export type Resizing = keyof typeof resizings;

interface Resampling {
  /** [batch, channels, height, width] to [batch, channels, height / 2, width / 2]. */
  down(channels: number): OpaqueLayer;
  /** [batch, channels, height, width] to [batch, channels, 2 height, 2 width]. */
  up(channels: number): OpaqueLayer;
}

/** Runs a layer on a map whose pixels were repeated. */
function afterDoubling(layer: OpaqueLayer): OpaqueLayer {
  return {
    parameters: layer.parameters,
    apply: (parameters, x) => layer.apply(parameters, resizings.up(x)),
  };
}

export const resamplings = {
  /** Means of 2 x 2 pixels; repeated pixels. No parameters. */
  pooling: {
    down: () => ({ parameters: {}, apply: (_parameters, x) => resizings.down(x) }),
    up: () => ({ parameters: {}, apply: (_parameters, x) => resizings.up(x) }),
  },
  /** 3 x 3 convolution with stride 2; repeated pixels, then a 3 x 3 convolution [dhariwal:21]. */
  convolution: {
    down: (channels) => convolution(channels, channels, { stride: 2 }),
    up: (channels) => afterDoubling(convolution(channels, channels)),
  },
  /** 3 x 3 convolution with stride 2; 4 x 4 transposed convolution. */
  transposed: {
    down: (channels) => convolution(channels, channels, { stride: 2 }),
    up: (channels) => doublingConvolution(channels, channels),
  },
} as const satisfies Readonly<Record<string, Resampling>>;

export type Resample = keyof typeof resamplings;
