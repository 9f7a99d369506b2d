/** Elementwise functions of one float operand. */

import type { Lower } from '../onnx/lowering.ts';
import type { None, Operations, Primitive } from '../primitive.ts';
import { applyPrimitive, FLOATS, requireSameDtype, type Tensor } from '../tensor.ts';

interface UnaryRule {
  /** ONNX operator, or a composition. */
  readonly onnx: string | Lower<None>;
  readonly f: (x: number) => number;
  /** Cotangent of x; d is the result's. */
  readonly gradient: (d: Tensor, x: Tensor, result: Tensor, ops: Operations) => Tensor;
  readonly range?: readonly [number, number];
}

/** A primitive that applies `f` to every element. */
export function unary(name: string, { onnx, f, gradient, range = [-2, 2] }: UnaryRule): Primitive<None> {
  return {
    name,
    outputTypes: ([x]) => [{ dtype: requireSameDtype([x], `engine ${name}`, FLOATS), shape: x.shape }],
    gradient: ({ inputs: [x], outputs: [result] }, [d], ops) => [gradient(d as Tensor, x, result, ops)],
    lowering: { default: typeof onnx === 'string' ? (emit, { inputs }) => [emit.node(onnx, inputs)] : onnx },
    reference: ([x]) => [x.data.map(f)],
    examples: [
      { inputs: [{ shape: [3, 4], range }], attributes: {} },
      { inputs: [{ shape: [], range }], attributes: {} },
    ],
    counterexamples: [{ inputs: [{ dtype: 'int32', shape: [2] }], attributes: {}, message: /dtype among float32/ }],
  };
}

/** erf(x) by its Taylor series for |x| < 3, else by the continued fraction of erfc; absolute error below 1e-15. */
export function errorFunction(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let term = a;
    let sum = a;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum) && n < 200; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + fraction) * Math.sqrt(Math.PI)));
}

export const negatePrimitive = unary('negate', { onnx: 'Neg', f: (x) => -x, gradient: (d) => negate(d) });
export const absPrimitive = unary('abs', {
  onnx: 'Abs',
  f: Math.abs,
  gradient: (d, x, _y, { multiply }) => multiply(d, sign(x)),
});
export const signPrimitive = unary('sign', {
  onnx: 'Sign',
  f: Math.sign,
  gradient: (d, _x, _y, { multiply }) => multiply(d, 0),
});
export const expPrimitive = unary('exp', {
  onnx: 'Exp',
  f: Math.exp,
  gradient: (d, _x, y, { multiply }) => multiply(d, y),
});
export const logPrimitive = unary('log', {
  onnx: 'Log',
  f: Math.log,
  gradient: (d, x, _y, { divide }) => divide(d, x),
  range: [0.2, 3],
});
export const sqrtPrimitive = unary('sqrt', {
  onnx: 'Sqrt',
  f: Math.sqrt,
  gradient: (d, _x, y, { divide, multiply }) => divide(multiply(d, 0.5), y),
  range: [0.2, 3],
});
export const reciprocalPrimitive = unary('reciprocal', {
  onnx: 'Reciprocal',
  f: (x) => 1 / x,
  gradient: (d, _x, y, { multiply }) => negate(multiply(d, multiply(y, y))),
  range: [0.5, 2],
});
export const tanhPrimitive = unary('tanh', {
  onnx: 'Tanh',
  f: Math.tanh,
  gradient: (d, _x, y, { multiply, subtract }) => multiply(d, subtract(1, multiply(y, y))),
});
export const erfPrimitive = unary('erf', {
  onnx: 'Erf',
  f: errorFunction,
  gradient: (d, x, _y, { multiply }) => multiply(d, multiply(exp(negate(multiply(x, x))), 2 / Math.sqrt(Math.PI))),
});
export const sinPrimitive = unary('sin', {
  onnx: 'Sin',
  f: Math.sin,
  gradient: (d, x, _y, { multiply }) => multiply(d, cos(x)),
});
export const cosPrimitive = unary('cos', {
  onnx: 'Cos',
  f: Math.cos,
  gradient: (d, x, _y, { multiply }) => negate(multiply(d, sin(x))),
});
export const floorPrimitive = unary('floor', {
  onnx: 'Floor',
  f: Math.floor,
  gradient: (d, _x, _y, { multiply }) => multiply(d, 0),
});
export const ceilPrimitive = unary('ceil', {
  onnx: 'Ceil',
  f: Math.ceil,
  gradient: (d, _x, _y, { multiply }) => multiply(d, 0),
});

/** The nearest whole number; of two equally near the even one. */
function roundHalfToEven(x: number): number {
  const low = Math.floor(x);
  const part = x - low;
  return part < 0.5 || (part === 0.5 && low % 2 === 0) ? low : low + 1;
}

const lowerRound: Lower<None> = (emit, { inputs: [x], inputTypes: [{ dtype }] }) => {
  if (emit.provider !== 'webgpu') return [emit.node('Round', [x])];
  // Without a kernel of its own: halves go up, and then down again where that is odd.
  const up = emit.node('Floor', [emit.node('Add', [x, emit.scalar(dtype, 0.5)])]);
  const tie = emit.node('Equal', [emit.node('Sub', [up, x]), emit.scalar(dtype, 0.5)]);
  const even = emit.node('Mul', [
    emit.node('Floor', [emit.node('Mul', [up, emit.scalar(dtype, 0.5)])]),
    emit.scalar(dtype, 2),
  ]);
  return [emit.node('Where', [tie, even, up])];
};

export const roundPrimitive = unary('round', {
  onnx: lowerRound,
  f: roundHalfToEven,
  gradient: (d, _x, _y, { multiply }) => multiply(d, 0),
});

function applyUnary(primitive: Primitive<None>, x: Tensor): Tensor {
  return applyPrimitive(primitive, [x], {})[0];
}

/** -x. */
export function negate(x: Tensor): Tensor {
  if (x.call?.primitive.name === negatePrimitive.name) return x.call.inputs[0];
  return applyUnary(negatePrimitive, x);
}

/** |x|; gradient 0 at 0. */
export function abs(x: Tensor): Tensor {
  return applyUnary(absPrimitive, x);
}

/** -1, 0 or 1; gradient 0. */
export function sign(x: Tensor): Tensor {
  return applyUnary(signPrimitive, x);
}

/** e^x. */
export function exp(x: Tensor): Tensor {
  return applyUnary(expPrimitive, x);
}

/** Natural logarithm; x > 0. */
export function log(x: Tensor): Tensor {
  return applyUnary(logPrimitive, x);
}

/** Square root; x >= 0, and x > 0 for its gradient. */
export function sqrt(x: Tensor): Tensor {
  return applyUnary(sqrtPrimitive, x);
}

/** 1 / x; x not 0. */
export function reciprocal(x: Tensor): Tensor {
  return applyUnary(reciprocalPrimitive, x);
}

/** Hyperbolic tangent. */
export function tanh(x: Tensor): Tensor {
  return applyUnary(tanhPrimitive, x);
}

/** Error function, 2/sqrt(pi) times the integral of exp(-s^2) from 0 to x. */
export function erf(x: Tensor): Tensor {
  return applyUnary(erfPrimitive, x);
}

/** Sine; x in radians. */
export function sin(x: Tensor): Tensor {
  return applyUnary(sinPrimitive, x);
}

/** Cosine; x in radians. */
export function cos(x: Tensor): Tensor {
  return applyUnary(cosPrimitive, x);
}

/** The largest whole number not above x; gradient 0. */
export function floor(x: Tensor): Tensor {
  return applyUnary(floorPrimitive, x);
}

/** The smallest whole number not below x; gradient 0. */
export function ceil(x: Tensor): Tensor {
  return applyUnary(ceilPrimitive, x);
}

/** The nearest whole number, of two equally near the even one; gradient 0. */
export function round(x: Tensor): Tensor {
  return applyUnary(roundPrimitive, x);
}
