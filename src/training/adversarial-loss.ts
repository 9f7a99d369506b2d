/** Losses of a generator (here: a decoder) and a discriminator, and the weight between reconstruction and adversary. */
import { gradient } from '../engine/gradient.ts';
import {
  add,
  divide,
  minimum,
  multiply,
  negate,
  reduceMean,
  reduceSum,
  relu,
  sqrt,
  stopGradient,
  subtract,
} from '../engine/ops.ts';
import type { Tensor } from '../engine/tensor.ts';

/** Mean over all but the first axis, [batch]. */
function meanBySample(x: Tensor): Tensor {
  return reduceMean(x, { axes: x.shape.map((_, axis) => axis).slice(1) });
}

/**
 * Hinge loss of the discriminator, (max(0, 1 - real) + max(0, 1 + made)) / 2, averaged over a sample's logits. Source: [lim:17], with
 * the factor 1/2 of the published code of [esser:21].
 * @param real  logits of data, float [batch, ...dims].
 * @param made  logits of reconstructions, of the same shape.
 * @returns [batch].
 */
export function hingeDiscriminatorLoss(real: Tensor, made: Tensor): Tensor {
  return multiply(add(meanBySample(relu(subtract(1, real))), meanBySample(relu(add(made, 1)))), 0.5);
}

/** Hinge loss of the generator: minus the mean of a sample's logits, float [batch, ...dims] to [batch]. Source: [lim:17]. */
export function hingeGeneratorLoss(made: Tensor): Tensor {
  return negate(meanBySample(made));
}

export interface AdaptiveWeightOptions {
  /** Weight of the decoder's last layer, in the graph of both losses. */
  readonly lastLayer: Tensor;
  /** Added to the adversarial gradient's norm. Default 1e-6, the paper's; its published code has 1e-4. */
  readonly delta?: number;
  /** Largest weight, `null` for none, as in the paper. Default `null`; its published code has 1e4. */
  readonly largest?: number | null;
}

/**
 * Weight of the adversarial loss: |gradient of the reconstruction| / (|gradient of the adversarial loss| + delta), Euclidean norms of
 * gradients by the decoder's last layer. It is a constant to further gradients. Source: [esser:21], eq. (7).
 * @param reconstruction  loss with all its terms but the adversarial and the codebook's, float [].
 * @param adversarial  loss of the generator, float [].
 * @returns float [].
 * @throws ShapeError if a loss has axes.
 */
export function adaptiveWeight(
  reconstruction: Tensor,
  adversarial: Tensor,
  { lastLayer, delta = 1e-6, largest = null }: AdaptiveWeightOptions,
): Tensor {
  const norm = (loss: Tensor) => {
    const part = gradient(loss, lastLayer);
    return sqrt(reduceSum(multiply(part, part)));
  };
  const ratio = divide(norm(reconstruction), add(norm(adversarial), delta));
  return stopGradient(largest === null ? ratio : minimum(ratio, largest));
}
