/** Operators that make tensors from constants, and conversions between dtypes. */
import type { DType, HostArray } from '../../dtype.ts';
import { dtypeFacts, hostArray } from '../../dtype.ts';
import * as o from '../../ops.ts';
import type { Tensor } from '../../tensor.ts';
import { type ElementType, elementTypeName, elementTypes } from '../element-type.ts';
import { knownElements, knownTensor } from '../known-values.ts';
import {
  type NodeCall,
  type Operators,
  operand,
  requiredNumber,
  requiredNumbers,
  tensorConstant,
} from '../operator.ts';
import { indexConstant, listOf } from './index-list.ts';

/** What the engine holds for an element type of the file. @throws DataError if it cannot. */
function heldAs(node: NodeCall, code: number): ElementType {
  return elementTypes.get(code) ?? node.refuse('a numeric element type', elementTypeName(code));
}

function constant(node: NodeCall): Tensor {
  const { attributes } = node;
  const value = attributes.tensor('value');
  if (value !== null) return tensorConstant(node.decode(value));
  const floats = attributes.floats('value_floats');
  if (floats !== null) return o.constantTensor(floats, [floats.length]);
  const ints = attributes.ints('value_ints');
  if (ints !== null) return indexConstant(ints);
  if (attributes.has('value_float')) return o.constant(attributes.float('value_float', 0));
  if (attributes.has('value_int')) return o.constant(attributes.int('value_int', 0), 'int64');
  return node.refuse('a numeric tensor as value', attributes.unread().join(', ') || 'none');
}

function constantOfShape(node: NodeCall): Tensor {
  const shape = requiredNumbers(node, 0);
  const value = node.attributes.tensor('value');
  const one = value === null ? o.constant(0) : o.reshape(tensorConstant(node.decode(value)), []);
  return o.broadcastTo(one, shape);
}

/** start, start + delta, ... before limit. */
function range(node: NodeCall): Tensor {
  const [start, limit, delta] = [0, 1, 2].map((index) => requiredNumber(node, index));
  const count = Math.max(Math.ceil((limit - start) / delta), 0);
  const values = listOf(count, (i) => start + i * delta);
  return o.constantTensor(values, [values.length], operand(node, 0).dtype);
}

/** Ones on a diagonal. */
function eyeLike(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const code = node.attributes.int('dtype', 0);
  const shift = node.attributes.int('k', 0);
  const [rows, columns] = x.shape;
  const row = o.reshape(indexConstant(listOf(rows, (i) => i + shift)), [rows, 1]);
  const diagonal = o.equal(indexConstant(listOf(columns, (i) => i)), row);
  return o.cast(diagonal, code === 0 ? x.dtype : heldAs(node, code).dtype);
}

/** Range of each integer type that is held in a wider one. */
const narrowRanges: ReadonlyMap<string, readonly [number, number]> = new Map([
  ['int8', [-128, 127]],
  ['int16', [-32_768, 32_767]],
  ['uint16', [0, 65_535]],
  ['uint32', [0, 2 ** 32 - 1]],
  ['uint64', [0, 2 ** 53 - 1]],
]);

/** Whether every value of a dtype lies in a range. */
function fits(dtype: DType, [low, high]: readonly [number, number]): boolean {
  return (dtype === 'bool' || dtype === 'uint8') && low <= 0 && high >= 255;
}

/** Known elements as an integer type would hold them: fractions are cut, what overflows wraps. */
function wrapped(elements: HostArray, dtype: DType, [low, high]: readonly [number, number]): HostArray {
  const result = hostArray(dtype, elements.length);
  const span = high - low + 1;
  for (let i = 0; i < elements.length; i++) {
    const whole = Math.trunc(Number(elements[i]));
    const value = Number.isFinite(whole) ? ((((whole - low) % span) + span) % span) + low : 0;
    result[i] = result instanceof BigInt64Array ? BigInt(value) : value;
  }
  return result;
}

/** Integers narrower than the engine's are held in wider dtypes, where they would not wrap: such casts need a known operand. */
function converted(node: NodeCall, x: Tensor, code: number): Tensor {
  const { name, dtype } = heldAs(node, code);
  const range = narrowRanges.get(name);
  if (range === undefined || fits(x.dtype, range)) return o.cast(x, dtype);
  const elements =
    knownElements(x) ?? node.refuse(`a known operand to be cast to ${name}`, 'one that depends on inputs');
  return knownTensor(dtype, x.shape, wrapped(elements, dtype, range));
}

function cast(node: NodeCall): Tensor {
  // It concerns floats of 8 bits only.
  node.attributes.ignore('saturate');
  return converted(node, operand(node, 0), node.attributes.int('to', 0));
}

function castLike(node: NodeCall): Tensor {
  node.attributes.ignore('saturate');
  const code = node.elementTypes[1];
  const { dtype } = operand(node, 1);
  return converted(node, operand(node, 0), code ?? dtypeFacts[dtype].onnxCode);
}

export const constantOperators: Operators = {
  Constant: { inputs: [0, 0], apply: constant },
  ConstantOfShape: { inputs: [1, 1], known: [0], apply: constantOfShape },
  Range: { inputs: [3, 3], known: [0, 1, 2], apply: range },
  EyeLike: { inputs: [1, 1], apply: eyeLike },
  Cast: { inputs: [1, 1], apply: cast },
  CastLike: { inputs: [2, 2], apply: castLike },
};
