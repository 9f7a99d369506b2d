/** Activation functions, elementwise on float operands. */
import type { Lower } from '../onnx/lowering.ts';
import type { None, Primitive } from '../primitive.ts';
import { applyPrimitive, FLOATS, requireSameDtype, type Tensor } from '../tensor.ts';
import { wideDerivative } from './float16.ts';
import { errorFunction, unary } from './unary.ts';

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

const lowerSigmoid: Lower<None> = (emit, { inputs, inputTypes: [{ dtype }] }) => {
  // It makes a float64 x sigmoid(x) into an operator that exists in float32 only.
  if (dtype === 'float64') emit.keepFrom('QuickGeluFusion');
  return [emit.node('Sigmoid', inputs)];
};

export const sigmoidPrimitive = unary('sigmoid', {
  onnx: lowerSigmoid,
  f: logistic,
  gradient: (d, _x, y, { multiply, subtract }) => multiply(d, multiply(y, subtract(1, y))),
});

/** The contributed QuickGelu(alpha = 1) is x sigmoid(x) in one pass; it exists on CPU and CUDA, and not in float64. */
const lowerSilu: Lower<None> = (emit, call) => {
  const { inputs, inputTypes } = call;
  return inputTypes[0].dtype !== 'float64' && emit.provider !== 'webgpu'
    ? [emit.node('QuickGelu', inputs, { domain: 'com.microsoft', attributes: { alpha: { float: 1 } } })]
    : [emit.node('Mul', [...inputs, ...lowerSigmoid(emit, call)])];
};

export const siluPrimitive = unary('silu', {
  onnx: lowerSilu,
  f: (x) => x * logistic(x),
  // y = x s, so y' = s + x s (1 - s) = s + y (1 - s).
  gradient: (d, x, y, { multiply, add, subtract }) => {
    const s = sigmoid(x);
    return multiply(d, add(s, multiply(y, subtract(1, s))));
  },
});

const SQRT_2 = Math.SQRT2;
const SQRT_2_PI = Math.sqrt(2 * Math.PI);

/** The derivative of GELU has an x^2 in it, which leaves float16 beyond 255. */
export const geluPrimitive = wideDerivative(
  unary('gelu', {
    onnx: 'Gelu',
    f: (x) => 0.5 * x * (1 + errorFunction(x / SQRT_2)),
    // y = x Phi(x), y' = Phi(x) + x phi(x).
    gradient: (d, x, _y, { multiply, add, erf, exp }) => {
      const cumulative = multiply(add(erf(multiply(x, 1 / SQRT_2)), 1), 0.5);
      const density = multiply(exp(multiply(multiply(x, x), -0.5)), 1 / SQRT_2_PI);
      return multiply(d, add(cumulative, multiply(x, density)));
    },
  }),
);

/** sqrt(2/pi) and the cubic coefficient of the tanh approximation [hendrycks:16]. */
const TANH_SCALE = Math.sqrt(2 / Math.PI);
const TANH_CUBIC = 0.044715;

export const geluTanhPrimitive = wideDerivative(
  unary('geluTanh', {
    onnx: (emit, { inputs }) => [emit.node('Gelu', inputs, { attributes: { approximate: 'tanh' } })],
    f: (x) => 0.5 * x * (1 + Math.tanh(TANH_SCALE * (x + TANH_CUBIC * x ** 3))),
    // y = x s with s = sigmoid(2u), u = c (x + k x^3); y' = s + 2 u' y (1 - s), 2u' = 2c + 6ck x^2.
    gradient: (d, x, y, { multiply, add, subtract }) => {
      const square = multiply(x, x);
      const slope = add(multiply(square, 6 * TANH_SCALE * TANH_CUBIC), 2 * TANH_SCALE);
      const s = sigmoid(multiply(x, add(multiply(square, 2 * TANH_SCALE * TANH_CUBIC), 2 * TANH_SCALE)));
      return multiply(d, add(s, multiply(multiply(y, subtract(1, s)), slope)));
    },
  }),
);

/** log(1 + e^x) = max(x, 0) + log(1 + e^-|x|); ONNX Runtime's own kernel has no float64. */
const lowerSoftplus: Lower<None> = (emit, { inputs: [x], inputTypes: [{ dtype }] }) => {
  if (dtype === 'float32') return [emit.node('Softplus', [x])];
  const tail = emit.node('Exp', [emit.node('Neg', [emit.node('Abs', [x])])]);
  const log = emit.node('Log', [emit.node('Add', [tail, emit.scalar(dtype, 1)])]);
  return [emit.node('Add', [emit.node('Max', [x, emit.scalar(dtype, 0)]), log])];
};

export const softplusPrimitive = unary('softplus', {
  onnx: lowerSoftplus,
  f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  gradient: (d, x, _y, { multiply }) => multiply(d, sigmoid(x)),
});

export const reluPrimitive = unary('relu', {
  onnx: 'Relu',
  f: (x) => Math.max(x, 0),
  gradient: (d, _x, y, { multiply, cast, greater }) => multiply(d, cast(greater(y, 0), d.dtype)),
});

type SlopeAttributes = {
  /** Slope for x < 0 (leaky ReLU), or scale of the exponential (ELU). */
  readonly alpha: number;
};

export const leakyReluPrimitive: Primitive<SlopeAttributes> = {
  name: 'leakyRelu',
  outputTypes: ([x]) => [{ dtype: requireSameDtype([x], 'engine leakyRelu', FLOATS), shape: x.shape }],
  gradient({ inputs: [x], attributes: { alpha } }, [d], { multiply, add, cast, greater }) {
    const positive = cast(greater(x, 0), x.dtype);
    return [multiply(d as Tensor, add(multiply(positive, 1 - alpha), alpha))];
  },
  lowering: {
    // max(x, 0) + alpha min(x, 0): the LeakyRelu kernel has no float64.
    default: (emit, { inputs: [x], inputTypes: [{ dtype }], attributes: { alpha } }) => {
      if (dtype !== 'float64') return [emit.node('LeakyRelu', [x], { attributes: { alpha: { float: alpha } } })];
      const zero = emit.scalar(dtype, 0);
      const negative = emit.node('Mul', [emit.node('Min', [x, zero]), emit.scalar(dtype, alpha)]);
      return [emit.node('Add', [emit.node('Max', [x, zero]), negative])];
    },
  },
  reference: ([x], { alpha }) => [x.data.map((value) => (value > 0 ? value : alpha * value))],
  examples: [{ inputs: [{ shape: [3, 4] }], attributes: { alpha: 0.2 } }],
  counterexamples: [
    { inputs: [{ dtype: 'int64', shape: [2] }], attributes: { alpha: 0.2 }, message: /dtype among float32/ },
  ],
};

/** 1 / (1 + e^-x). */
export function sigmoid(x: Tensor): Tensor {
  return applyPrimitive(sigmoidPrimitive, [x], {})[0];
}

/** x sigmoid(x), also called swish. */
export function silu(x: Tensor): Tensor {
  return applyPrimitive(siluPrimitive, [x], {})[0];
}

/** x Phi(x) with the normal distribution function Phi [hendrycks:16]. */
export function gelu(x: Tensor): Tensor {
  return applyPrimitive(geluPrimitive, [x], {})[0];
}

/** The tanh approximation of `gelu` [hendrycks:16]. */
export function geluTanh(x: Tensor): Tensor {
  return applyPrimitive(geluTanhPrimitive, [x], {})[0];
}

/** log(1 + e^x). */
export function softplus(x: Tensor): Tensor {
  return applyPrimitive(softplusPrimitive, [x], {})[0];
}

/** max(x, 0). */
export function relu(x: Tensor): Tensor {
  return applyPrimitive(reluPrimitive, [x], {})[0];
}

/** x where positive, alpha x elsewhere. */
export function leakyRelu(x: Tensor, alpha = 0.01): Tensor {
  return applyPrimitive(leakyReluPrimitive, [x], { alpha })[0];
}
