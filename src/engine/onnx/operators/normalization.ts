/** Normalisations. Batch normalisation is that of inference, with the statistics of the file. */
import * as o from '../../ops.ts';
import { standardizePrimitive } from '../../primitives/standardize.ts';
import { elementCount, normalizeAxis } from '../../shape.ts';
import { applyPrimitive, type Tensor } from '../../tensor.ts';
import { type NodeCall, type Operators, operand, optionalOperand } from '../operator.ts';

/** [channels] as [channels, 1, ...], to meet x [batch, channels, ...]. */
function perChannel(values: Tensor, x: Tensor): Tensor {
  return o.reshape(values, [values.shape[0], ...x.shape.slice(2).map(() => 1)]);
}

/** scale (x - mean) / sqrt(variance + epsilon) + bias, as one factor and one offset a channel. */
function batchNormalization(node: NodeCall): Tensor {
  const { attributes } = node;
  const [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4].map((index) => operand(node, index));
  const epsilon = attributes.float('epsilon', 1e-5);
  // Before opset 7 inference was told by an attribute; training has outputs that are refused here.
  attributes.ignore('momentum', 'is_test');
  if (attributes.flag('training_mode', false)) node.refuse('batch normalisation of inference', 'training_mode 1');
  if (!attributes.flag('spatial', true)) node.refuse('one statistic a channel', 'spatial 0');
  const gain = o.divide(scale, o.sqrt(o.add(variance, epsilon)));
  const offset = o.subtract(bias, o.multiply(mean, gain));
  return o.add(o.multiply(x, perChannel(o.cast(gain, x.dtype), x)), perChannel(o.cast(offset, x.dtype), x));
}

function instanceNormalization(node: NodeCall): Tensor {
  const [x, scale, bias] = [0, 1, 2].map((index) => operand(node, index));
  return o.groupNorm(x, x.shape[1], { scale, bias, epsilon: node.attributes.float('epsilon', 1e-5) });
}

/** Up to opset 20 scale and bias had one element a group. */
function groupNormalization(node: NodeCall): Tensor {
  const [x, scale, bias] = [0, 1, 2].map((index) => operand(node, index));
  const groups = node.attributes.int('num_groups', 0);
  // Precision of the statistics, which is that of x here.
  node.attributes.ignore('stash_type');
  const channels = x.shape[1];
  const spread = (values: Tensor) =>
    node.opset >= 21
      ? values
      : o.reshape(o.broadcastTo(o.reshape(values, [groups, 1]), [groups, channels / groups]), [channels]);
  const options = { scale: spread(scale), bias: spread(bias), epsilon: node.attributes.float('epsilon', 1e-5) };
  return o.groupNorm(x, groups, options);
}

/** Over all axes from `axis` on; also the mean and the inverse deviation. */
function layerNormalization(node: NodeCall): Tensor[] {
  const x = operand(node, 0);
  const bias = optionalOperand(node, 2);
  const axis = normalizeAxis(node.attributes.int('axis', -1), x.shape.length, 'LayerNormalization');
  const epsilon = node.attributes.float('epsilon', 1e-5);
  node.attributes.ignore('stash_type');
  const rows = x.shape.slice(0, axis);
  const lines = o.reshape(x, [...rows, elementCount(x.shape.slice(axis))]);
  const [normal, mean, inverse] = applyPrimitive(standardizePrimitive, [lines], { epsilon });
  const scaled = o.multiply(o.reshape(normal, x.shape), operand(node, 1));
  const column = [...rows, ...x.shape.slice(axis).map(() => 1)];
  return [bias === null ? scaled : o.add(scaled, bias), o.reshape(mean, column), o.reshape(inverse, column)];
}

/** x / (bias + alpha / size * sum of squares over neighbouring channels)^beta. */
function localResponseNormalization(node: NodeCall): Tensor {
  const { attributes } = node;
  const x = operand(node, 0);
  const size = attributes.int('size', 0);
  const [alpha, beta, bias] = [
    attributes.float('alpha', 1e-4),
    attributes.float('beta', 0.75),
    attributes.float('bias', 1),
  ];
  const [batch, channels] = x.shape;
  const planes = o.reshape(o.multiply(x, x), [batch, 1, channels, elementCount(x.shape.slice(2))]);
  const before = Math.floor((size - 1) / 2);
  // The mean over the window counts the zeros beyond the channels: it is the sum over `size`.
  const means = o.averagePool2d(planes, { window: [size, 1], stride: 1, padding: [before, size - 1 - before, 0, 0] });
  const base = o.add(o.multiply(o.reshape(means, x.shape), alpha), bias);
  return o.divide(x, beta === 0.5 ? o.sqrt(base) : o.pow(base, beta));
}

/** x over its norm along an axis. */
function lpNormalization(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const axes = [node.attributes.int('axis', -1)];
  const p = node.attributes.int('p', 2);
  if (p !== 1 && p !== 2) node.refuse('`p` of 1 or 2', `${p}`);
  const sum = (values: Tensor) => o.reduceSum(values, { axes, keepDims: true });
  return o.divide(x, p === 1 ? sum(o.abs(x)) : o.sqrt(sum(o.multiply(x, x))));
}

/** Keeps the deviation from being 0, as the operator's definition does. */
const DEVIATION_EPSILON = 1e-9;

/** (x - mean) / deviation over axes. */
function meanVarianceNormalization(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const axes = node.attributes.ints('axes') ?? [0, 2, 3];
  const centred = o.subtract(x, o.reduceMean(x, { axes, keepDims: true }));
  const variance = o.reduceMean(o.multiply(centred, centred), { axes, keepDims: true });
  return o.divide(centred, o.add(o.sqrt(variance), DEVIATION_EPSILON));
}

export const normalizationOperators: Operators = {
  // Running statistics are measured, not trained.
  BatchNormalization: { inputs: [5, 5], known: [3, 4], apply: batchNormalization },
  InstanceNormalization: { inputs: [3, 3], apply: instanceNormalization },
  GroupNormalization: { inputs: [3, 3], apply: groupNormalization },
  LayerNormalization: { inputs: [2, 3], apply: layerNormalization },
  LRN: { inputs: [1, 1], apply: localResponseNormalization },
  LpNormalization: { inputs: [1, 1], apply: lpNormalization },
  MeanVarianceNormalization: { inputs: [1, 1], apply: meanVarianceNormalization },
};
