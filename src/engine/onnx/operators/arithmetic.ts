/** Arithmetic, comparison and logic on operands that broadcast. */
import * as o from '../../ops.ts';
import type { Tensor } from '../../tensor.ts';
import { knownNumbers } from '../known-values.ts';
import { allOperands, type NodeCall, type Operator, type Operators, operand, optionalOperand } from '../operator.ts';
import { comparable, isFloat, onFloats, onNumbers } from './numbers.ts';

const MANY = Number.MAX_SAFE_INTEGER;

/** Both operands. Before opset 7 an attribute said with which axis of the first the axes of the second begin. */
function pairOf(node: NodeCall): readonly [Tensor, Tensor] {
  const [a, b] = [operand(node, 0), operand(node, 1)];
  if (node.opset >= 7) return [a, b];
  const axis = node.attributes.int('axis', a.shape.length - b.shape.length);
  node.attributes.ignore('broadcast');
  const start = axis < 0 ? axis + a.shape.length : axis;
  return [a, o.reshape(b, [...b.shape, ...a.shape.slice(start + b.shape.length).map(() => 1)])];
}

function binary(f: (a: Tensor, b: Tensor) => Tensor): Operator {
  return { inputs: [2, 2], apply: (node) => onNumbers(pairOf(node), f) };
}

/** A function of any number of operands, folded from the left. */
function variadic(f: (a: Tensor, b: Tensor) => Tensor, finish: (total: Tensor, count: number) => Tensor): Operator {
  return {
    inputs: [1, MANY],
    apply(node) {
      const operands = allOperands(node);
      return finish(
        operands.reduce((a, b) => onNumbers([a, b], f)),
        operands.length,
      );
    },
  };
}

function compare(f: (a: Tensor, b: Tensor) => Tensor): Operator {
  return {
    inputs: [2, 2],
    apply(node) {
      const [a, b] = pairOf(node);
      return f(comparable(a), comparable(b));
    },
  };
}

function logic(f: (a: Tensor, b: Tensor) => Tensor): Operator {
  return { inputs: [2, 2], apply: (node) => f(...pairOf(node)) };
}

/** Largest whole exponent that is written as products. */
const MOST_FACTORS = 8;

/** x^n for whole n >= 1, by squaring. */
function wholePower(x: Tensor, n: number): Tensor {
  if (n === 1) return x;
  const root = wholePower(x, Math.floor(n / 2));
  const square = o.multiply(root, root);
  return n % 2 === 0 ? square : o.multiply(square, x);
}

/** x to a known power in the form that holds, with its gradient, for most x: the general form needs x > 0. */
function knownPower(x: Tensor, power: number): Tensor | null {
  if (power === 0.5) return o.sqrt(x);
  if (power === -0.5) return o.reciprocal(o.sqrt(x));
  const factors = Math.abs(power);
  if (!Number.isInteger(power) || factors < 1 || factors > MOST_FACTORS) return null;
  return power > 0 ? wholePower(x, factors) : o.reciprocal(wholePower(x, factors));
}

/** The exponent may have another dtype than the base, which is the result's. */
function power(node: NodeCall): Tensor {
  const [x, exponent] = pairOf(node);
  const known = exponent.shape.length <= x.shape.length ? (knownNumbers(exponent) ?? []) : [];
  return onFloats([x], (base) => {
    const special = known.length === 1 ? knownPower(base, known[0]) : null;
    return special ?? o.pow(base, o.cast(exponent, base.dtype));
  });
}

/** Up to opset 10 the limits were attributes. */
function clip(node: NodeCall): Tensor {
  const { attributes } = node;
  const x = operand(node, 0);
  const limit = (index: number, name: string) =>
    attributes.has(name) ? o.constant(attributes.float(name, 0), x.dtype) : optionalOperand(node, index);
  const low = limit(1, 'min');
  const high = limit(2, 'max');
  const above = low === null ? x : onNumbers([x, low], o.maximum);
  return high === null ? above : onNumbers([above, high], o.minimum);
}

/** a - b round(a / b), rounded down (as Python does), or towards zero with `fmod` (as C does). */
function modulo(node: NodeCall): Tensor {
  const towardsZero = node.attributes.flag('fmod', false);
  return onFloats([operand(node, 0), operand(node, 1)], (a, b) => {
    const quotient = o.divide(a, b);
    const whole = towardsZero ? o.multiply(o.sign(quotient), o.floor(o.abs(quotient))) : o.floor(quotient);
    return o.subtract(a, o.multiply(b, whole));
  });
}

function where(node: NodeCall): Tensor {
  return o.select(operand(node, 0), operand(node, 1), operand(node, 2));
}

function xor(a: Tensor, b: Tensor): Tensor {
  return o.and(o.or(a, b), o.not(o.and(a, b)));
}

const asIs = (result: Tensor) => result;

export const arithmeticOperators: Operators = {
  Add: binary(o.add),
  Sub: binary(o.subtract),
  Mul: binary(o.multiply),
  Div: binary(o.divide),
  Pow: { inputs: [2, 2], known: [1], apply: power },
  Mod: { inputs: [2, 2], apply: modulo },
  Clip: { inputs: [1, 3], known: [1, 2], apply: clip },
  Sum: variadic(o.add, asIs),
  Mean: variadic(o.add, (sum, count) => (isFloat(sum) ? o.multiply(sum, 1 / count) : sum)),
  Max: variadic(o.maximum, asIs),
  Min: variadic(o.minimum, asIs),
  Equal: compare(o.equal),
  Less: compare(o.less),
  LessOrEqual: compare(o.lessOrEqual),
  Greater: compare(o.greater),
  GreaterOrEqual: compare(o.greaterOrEqual),
  And: logic(o.and),
  Or: logic(o.or),
  Xor: logic(xor),
  BitwiseAnd: logic(o.bitwiseAnd),
  BitwiseXor: logic(o.bitwiseXor),
  Where: { inputs: [3, 3], apply: where },
};
