/** Functions of one operand, elementwise. */
import * as o from '../../ops.ts';
import type { Tensor } from '../../tensor.ts';
import { type Operator, type Operators, operand } from '../operator.ts';
import { comparable, onFloats } from './numbers.ts';

/** A function of floats; other dtypes go through float64. */
function elementwise(f: (x: Tensor) => Tensor): Operator {
  return { inputs: [1, 1], apply: (node) => onFloats([operand(node, 0)], f) };
}

const half = (x: Tensor) => o.multiply(x, 0.5);
/** (e^x +- e^-x) / 2. */
const hyperbolic = (combine: typeof o.add) => (x: Tensor) => half(combine(o.exp(x), o.exp(o.negate(x))));

/** log(x + sqrt(x^2 + 1)) of |x|, with the sign of x: the sum would cancel for negative x. */
function asinh(x: Tensor): Tensor {
  const size = o.abs(x);
  return o.multiply(o.sign(x), o.log(o.add(size, o.sqrt(o.add(o.multiply(size, size), 1)))));
}

export const unaryOperators: Operators = {
  Identity: { inputs: [1, 1], apply: (node) => operand(node, 0) },
  Neg: elementwise(o.negate),
  Abs: elementwise(o.abs),
  Sign: elementwise(o.sign),
  Floor: elementwise(o.floor),
  Ceil: elementwise(o.ceil),
  Round: elementwise(o.round),
  Sqrt: elementwise(o.sqrt),
  Exp: elementwise(o.exp),
  Log: elementwise(o.log),
  Reciprocal: elementwise(o.reciprocal),
  Sin: elementwise(o.sin),
  Cos: elementwise(o.cos),
  Tan: elementwise((x) => o.divide(o.sin(x), o.cos(x))),
  Sinh: elementwise(hyperbolic(o.subtract)),
  Cosh: elementwise(hyperbolic(o.add)),
  Tanh: elementwise(o.tanh),
  Asinh: elementwise(asinh),
  Acosh: elementwise((x) => o.log(o.add(x, o.sqrt(o.subtract(o.multiply(x, x), 1))))),
  Atanh: elementwise((x) => half(o.log(o.divide(o.add(x, 1), o.subtract(1, x))))),
  Erf: elementwise(o.erf),
  Not: { inputs: [1, 1], apply: (node) => o.not(operand(node, 0)) },
  // No number differs from itself.
  IsNaN: { inputs: [1, 1], apply: (node) => o.not(o.equal(operand(node, 0), operand(node, 0))) },
  IsInf: {
    inputs: [1, 1],
    apply(node) {
      const x = comparable(operand(node, 0));
      const negative = node.attributes.flag('detect_negative', true) ? o.equal(x, -Infinity) : null;
      const positive = node.attributes.flag('detect_positive', true) ? o.equal(x, Infinity) : null;
      if (negative !== null && positive !== null) return o.or(negative, positive);
      return negative ?? positive ?? o.broadcastTo(o.constant(false, 'bool'), x.shape);
    },
  },
};
