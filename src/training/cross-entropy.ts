import { logSoftmax, multiply, negate, oneHot, reduceSum } from '../engine/ops.ts';
import type { Tensor } from '../engine/tensor.ts';

/**
 * -log of the probability that the scores give to each label: -log softmax(scores)[label], by the shifted log-sum-exp, so that
 * scores of any size give a finite value.
 * @param scores  float [batch, classes].
 * @param labels  int32 [batch], in [0, classes).
 * @returns float [batch], in nats.
 */
export function crossEntropy(scores: Tensor, labels: Tensor): Tensor {
  const [, classes] = scores.shape;
  return negate(reduceSum(multiply(logSoftmax(scores), oneHot(labels, classes, scores.dtype)), { axes: [1] }));
}
