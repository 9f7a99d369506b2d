/** Activation functions. */
import * as o from '../../ops.ts';
import type { Tensor } from '../../tensor.ts';
import { type NodeCall, type Operator, type Operators, operand } from '../operator.ts';
import { isFloat } from './numbers.ts';
import { largestIndex } from './ordering.ts';

function activation(f: (x: Tensor, node: NodeCall) => Tensor): Operator {
  return { inputs: [1, 1], apply: (node) => f(operand(node, 0), node) };
}

/** alpha (e^x - 1) below 0, x above: e^x is taken below 0 only, where it cannot overflow. */
function elu(x: Tensor, alpha: number, rate = 1): Tensor {
  const below = o.subtract(o.exp(o.multiply(o.minimum(x, 0), rate)), 1);
  return o.add(o.relu(x), o.multiply(below, alpha));
}

/** min(max(alpha x + beta, 0), 1). */
function hardSigmoid(x: Tensor, alpha: number, beta: number): Tensor {
  return o.clip(o.add(o.multiply(x, alpha), beta), 0, 1);
}

/** x sigmoid(alpha x). */
function quickGelu(x: Tensor, alpha: number): Tensor {
  return alpha === 1 ? o.silu(x) : o.multiply(x, o.sigmoid(o.multiply(x, alpha)));
}

/** x - bias above lambda, x + bias below -lambda, 0 between. */
function shrink(x: Tensor, node: NodeCall): Tensor {
  const lambda = node.attributes.float('lambd', 0.5);
  const bias = node.attributes.float('bias', 0);
  const low = o.select(o.less(x, -lambda), o.add(x, bias), 0);
  return o.select(o.greater(x, lambda), o.subtract(x, bias), low);
}

/** max(x, 0) + slope min(x, 0); the slope stretches to x. Before opset 7 it was one number a channel, without other axes. */
function prelu(node: NodeCall): Tensor {
  const [x, given] = [operand(node, 0), operand(node, 1)];
  const isOld = node.opset < 7 && given.shape.length === 1 && given.shape[0] > 1;
  const slope = isOld ? o.reshape(given, [given.shape[0], ...x.shape.slice(2).map(() => 1)]) : given;
  return o.add(o.relu(x), o.multiply(slope, o.minimum(x, 0)));
}

/**
 * A function along an axis. Up to opset 12 it saw the operand as a matrix whose rows are the axes before `axis`, and its default
 * axis was 1.
 */
function alongAxis(f: (x: Tensor, axis: number) => Tensor): Operator {
  return activation((x, node) => {
    const axis = node.attributes.int('axis', node.opset < 13 ? 1 : -1);
    if (node.opset >= 13) return f(x, axis);
    const rows = x.shape.slice(0, axis).reduce((count, size) => count * size, 1);
    const width = x.shape.slice(axis).reduce((count, size) => count * size, 1);
    return o.reshape(f(o.reshape(x, [rows, width]), -1), x.shape);
  });
}

/** 1 at the first largest element along the axis, 0 elsewhere. */
function hardmax(x: Tensor, axis: number): Tensor {
  const place = axis < 0 ? axis + x.shape.length : axis;
  const hot = o.oneHot(largestIndex(x, place), x.shape[place], x.dtype);
  const order = x.shape.map((_, i) => (i < place ? i : i === place ? x.shape.length - 1 : i - 1));
  return o.transpose(hot, order);
}

const SELU_ALPHA = 1.6732632423543772;
const SELU_GAMMA = 1.0507009873554805;

export const activationOperators: Operators = {
  Relu: activation((x) => (isFloat(x) ? o.relu(x) : o.maximum(x, 0))),
  LeakyRelu: activation((x, { attributes }) => o.leakyRelu(x, attributes.float('alpha', 0.01))),
  PRelu: { inputs: [2, 2], apply: prelu },
  Elu: activation((x, { attributes }) => elu(x, attributes.float('alpha', 1))),
  Selu: activation((x, { attributes }) => {
    const alpha = attributes.float('alpha', SELU_ALPHA);
    return o.multiply(elu(x, alpha), attributes.float('gamma', SELU_GAMMA));
  }),
  Celu: activation((x, { attributes }) => {
    const alpha = attributes.float('alpha', 1);
    return elu(x, alpha, 1 / alpha);
  }),
  ThresholdedRelu: activation((x, { attributes }) => o.select(o.greater(x, attributes.float('alpha', 1)), x, 0)),
  Shrink: activation(shrink),
  Sigmoid: activation((x) => o.sigmoid(x)),
  HardSigmoid: activation((x, { attributes }) =>
    hardSigmoid(x, attributes.float('alpha', 0.2), attributes.float('beta', 0.5)),
  ),
  HardSwish: activation((x) => o.multiply(x, hardSigmoid(x, 1 / 6, 0.5))),
  Softplus: activation((x) => o.softplus(x)),
  Softsign: activation((x) => o.divide(x, o.add(o.abs(x), 1))),
  Mish: activation((x) => o.multiply(x, o.tanh(o.softplus(x)))),
  Gelu: activation((x, { attributes }) =>
    attributes.choice('approximate', ['none', 'tanh']) === 'tanh' ? o.geluTanh(x) : o.gelu(x),
  ),
  Softmax: alongAxis(o.softmax),
  LogSoftmax: alongAxis(o.logSoftmax),
  Hardmax: alongAxis(hardmax),
};

/** Those of ONNX Runtime's own domain, `com.microsoft`. */
export const contributedActivations: Operators = {
  Gelu: activation((x) => o.gelu(x)),
  QuickGelu: activation((x, { attributes }) => quickGelu(x, attributes.float('alpha', 1.702))),
  BiasGelu: { inputs: [2, 2], apply: (node) => o.gelu(o.add(operand(node, 0), operand(node, 1))) },
  FastGelu: {
    inputs: [1, 2],
    apply: (node) => o.geluTanh(node.inputs[1] ? o.add(operand(node, 0), operand(node, 1)) : operand(node, 0)),
  },
};
