/** Linear quantisation, with its integers held in the engine's dtypes. Nothing flows back through rounding. */
import * as o from '../../ops.ts';
import { normalizeAxis } from '../../shape.ts';
import type { Tensor } from '../../tensor.ts';
import { type NodeCall, type Operators, operand, optionalOperand } from '../operator.ts';

/** A scale or zero point along its axis of x. */
function along(node: NodeCall, values: Tensor, x: Tensor, axis: number): Tensor {
  const count = values.shape.length === 0 ? 1 : values.shape[0];
  if (values.shape.length > 1) node.refuse('one scale for a tensor or an axis', `${values.shape.length} axes`);
  if (count === 1) return o.reshape(values, []);
  const place = normalizeAxis(axis, x.shape.length, 'QuantizeLinear');
  return o.reshape(values, [count, ...x.shape.slice(place + 1).map(() => 1)]);
}

function axisOf(node: NodeCall): number {
  if (node.attributes.int('block_size', 0) !== 0) node.refuse('one scale for a tensor or an axis', 'blocks');
  return node.attributes.int('axis', 1);
}

/** (x - zero point) scale. */
function dequantize(node: NodeCall): Tensor {
  const [x, scale] = [operand(node, 0), operand(node, 1)];
  const zero = optionalOperand(node, 2);
  const axis = axisOf(node);
  const numbers = o.cast(x, scale.dtype);
  const centred = zero === null ? numbers : o.subtract(numbers, along(node, o.cast(zero, scale.dtype), x, axis));
  return o.multiply(centred, along(node, scale, x, axis));
}

/** Range of each element type that values are quantised to, by its code. */
const ranges: ReadonlyMap<number, readonly [number, number]> = new Map([
  [2, [0, 255]],
  [3, [-128, 127]],
  [4, [0, 65_535]],
  [5, [-32_768, 32_767]],
]);
const UINT8 = 2;

/** round(x / scale) + zero point, limited to the type's range; the type is the zero point's. */
function quantize(node: NodeCall): Tensor {
  const [x, scale] = [operand(node, 0), operand(node, 1)];
  const zero = optionalOperand(node, 2);
  const axis = axisOf(node);
  node.attributes.ignore('saturate');
  const stated = node.attributes.int('output_dtype', 0);
  const implied = zero === null ? UINT8 : (node.elementTypes[2] ?? (zero.dtype === 'uint8' ? UINT8 : 0));
  const code = stated === 0 ? implied : stated;
  const range = ranges.get(code) ?? node.refuse('a quantised type of 8 or 16 bits', `type ${code}`);
  const steps = o.round(o.divide(x, along(node, o.cast(scale, x.dtype), x, axis)));
  const shifted = zero === null ? steps : o.add(steps, along(node, o.cast(zero, x.dtype), x, axis));
  return o.cast(o.clip(shifted, range[0], range[1]), code === UINT8 ? 'uint8' : 'int32');
}

export const quantizationOperators: Operators = {
  DequantizeLinear: { inputs: [2, 3], known: [1, 2], apply: dequantize },
  QuantizeLinear: { inputs: [2, 3], known: [1, 2], apply: quantize },
};
