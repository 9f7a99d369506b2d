import { add, multiply } from '../engine/ops.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type ImagePreparation, prepareImages } from '../metrics/features/image-preparation.ts';

/**
 * Input of a network from latents that are pixels in [-1, 1], for distances that are differentiated.
 * @param latents  float32 [batch, channels, height, width], 1 or 3 channels.
 * @returns float32 [batch, 3, ...size].
 */
export function prepareLatents(latents: Tensor, preparation: ImagePreparation): Tensor {
  return prepareImages(add(multiply(latents, 127.5), 127.5), preparation);
}
