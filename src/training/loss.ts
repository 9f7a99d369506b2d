/** Losses of flow matching. */
import { multiply, reduceMean, subtract } from '../engine/ops.ts';
import type { Tensor } from '../engine/tensor.ts';

/**
 * Squared error of the velocity, averaged over the elements of a sample. Source: [lipman:23], eq. (9).
 * @returns float32 [batch].
 */
export function velocityLoss(prediction: Tensor, velocity: Tensor): Tensor {
  const error = subtract(prediction, velocity);
  return reduceMean(multiply(error, error), { axes: error.shape.map((_, axis) => axis).slice(1) });
}
