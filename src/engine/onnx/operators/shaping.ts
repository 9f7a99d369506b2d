/** Operators that give elements another shape or order. */
import * as o from '../../ops.ts';
import { broadcastShapes, elementCount, normalizeAxes, normalizeAxis } from '../../shape.ts';
import type { Tensor } from '../../tensor.ts';
import {
  attributeOrOperand,
  type NodeCall,
  type Operators,
  operand,
  requiredNumber,
  requiredNumbers,
} from '../operator.ts';
import { indexConstant, listOf } from './index-list.ts';

/** 0 keeps a size (unless `allowzero`), -1 stands for what is left. */
function reshape(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const keepsZero = node.attributes.flag('allowzero', false);
  const wanted = requiredNumbers(node, 1);
  const sizes = wanted.map((size, axis) => (size === 0 && !keepsZero ? (x.shape[axis] ?? 0) : size));
  const known = elementCount(sizes.filter((size) => size !== -1));
  const rest = known === 0 ? 0 : elementCount(x.shape) / known;
  return o.reshape(
    x,
    sizes.map((size) => (size === -1 ? rest : size)),
  );
}

function flatten(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const axis = node.attributes.int('axis', 1);
  const place = axis < 0 ? axis + x.shape.length : axis;
  return o.reshape(x, [elementCount(x.shape.slice(0, place)), elementCount(x.shape.slice(place))]);
}

/** Axes were an attribute up to opset 12. */
function squeeze(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const axes = attributeOrOperand(node, 'axes', 1);
  const gone = new Set(
    axes === null
      ? x.shape.flatMap((size, i) => (size === 1 ? [i] : []))
      : normalizeAxes(axes, x.shape.length, 'Squeeze'),
  );
  for (const axis of gone) if (x.shape[axis] !== 1) node.refuse(`axis ${axis} to have size 1`, `${x.shape[axis]}`);
  return o.reshape(
    x,
    x.shape.filter((_, axis) => !gone.has(axis)),
  );
}

function unsqueeze(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const axes = attributeOrOperand(node, 'axes', 1) ?? node.refuse('axes', 'none');
  const added = normalizeAxes(axes, x.shape.length + axes.length, 'Unsqueeze');
  return o.reshape(
    x,
    added.reduce((shape: readonly number[], axis) => shape.toSpliced(axis, 0, 1), x.shape),
  );
}

function transpose(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const order = node.attributes.ints('perm');
  return o.transpose(x, order ?? x.shape.map((_, axis) => x.shape.length - 1 - axis));
}

function expand(node: NodeCall): Tensor {
  const x = operand(node, 0);
  return o.broadcastTo(x, broadcastShapes(x.shape, requiredNumbers(node, 1), 'Expand'));
}

/** Each axis gets a neighbour that is stretched and then merged with it. */
function tile(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const repeats = requiredNumbers(node, 1);
  if (repeats.length !== x.shape.length) node.refuse(`repeats for ${x.shape.length} axes`, `${repeats.length}`);
  const apart = x.shape.flatMap((size, axis) => (repeats[axis] === 1 ? [size] : [1, size]));
  const stretched = x.shape.flatMap((size, axis) => (repeats[axis] === 1 ? [size] : [repeats[axis], size]));
  return o.reshape(
    o.broadcastTo(o.reshape(x, apart), stretched),
    x.shape.map((size, axis) => size * repeats[axis]),
  );
}

/** From opset 15 a part of the shape may be asked for. */
function shape(node: NodeCall): Tensor {
  const sizes = operand(node, 0).shape.slice(
    node.attributes.int('start', 0),
    node.attributes.int('end', Number.MAX_SAFE_INTEGER),
  );
  return o.constantTensor(sizes, [sizes.length], 'int64');
}

/** Channels to blocks of pixels; the block's axes come before (DCR) or after (CRD) the channels that stay. */
function depthToSpace(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const block = node.attributes.int('blocksize', 0);
  const mode = node.attributes.choice('mode', ['DCR', 'CRD']);
  const [batch, channels, height, width] = x.shape;
  const left = channels / block ** 2;
  const cells = mode === 'DCR' ? [block, block, left] : [left, block, block];
  const order = mode === 'DCR' ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3];
  const parts = o.transpose(o.reshape(x, [batch, ...cells, height, width]), order);
  return o.reshape(parts, [batch, left, height * block, width * block]);
}

function spaceToDepth(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const block = node.attributes.int('blocksize', 0);
  const [batch, channels, height, width] = x.shape;
  const rows = height / block;
  const columns = width / block;
  const parts = o.transpose(o.reshape(x, [batch, channels, rows, block, columns, block]), [0, 3, 5, 1, 2, 4]);
  return o.reshape(parts, [batch, channels * block ** 2, rows, columns]);
}

/** The part of each matrix on one side of a diagonal. */
function trilu(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const upper = node.attributes.flag('upper', true);
  const diagonal = node.inputs[1] ? requiredNumber(node, 1) : 0;
  const [rows, columns] = x.shape.slice(-2);
  const row = o.reshape(indexConstant(listOf(rows, (i) => i + diagonal)), [rows, 1]);
  const column = indexConstant(listOf(columns, (i) => i));
  return o.select(upper ? o.greaterOrEqual(column, row) : o.lessOrEqual(column, row), x, 0);
}

/** Nothing is dropped: models are imported for inference. */
function dropout(node: NodeCall): Tensor[] {
  const x = operand(node, 0);
  node.attributes.ignore('ratio', 'seed', 'is_test');
  const trains = node.inputs[2] ? requiredNumber(node, 2) !== 0 : false;
  const ratio = node.inputs[1] ? requiredNumber(node, 1) : 0.5;
  if (trains && ratio !== 0) node.refuse('dropout that is off', 'training_mode with a ratio above 0');
  // Up to opset 9 the mask had the operand's dtype; nothing reads it in inference.
  return [x, o.broadcastTo(o.constant(true, 'bool'), x.shape)];
}

/** Order of axes that brings `axis` to the end, all others kept. */
export function movedLast(rank: number, axis: number): number[] {
  const place = normalizeAxis(axis, rank, 'engine/onnx');
  const others = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== place);
  return [...others, place];
}

export const shapingOperators: Operators = {
  Reshape: { inputs: [2, 2], known: [1], apply: reshape },
  Flatten: { inputs: [1, 1], apply: flatten },
  Squeeze: { inputs: [1, 2], known: [1], apply: squeeze },
  Unsqueeze: { inputs: [1, 2], known: [1], apply: unsqueeze },
  Transpose: { inputs: [1, 1], apply: transpose },
  Expand: { inputs: [2, 2], known: [1], apply: expand },
  Tile: { inputs: [2, 2], known: [1], apply: tile },
  Shape: { inputs: [1, 1], apply: shape },
  Size: { inputs: [1, 1], apply: (node) => o.constant(elementCount(operand(node, 0).shape), 'int64') },
  DepthToSpace: { inputs: [1, 1], apply: depthToSpace },
  SpaceToDepth: { inputs: [1, 1], apply: spaceToDepth },
  Trilu: { inputs: [1, 2], known: [1], apply: trilu },
  Dropout: { inputs: [1, 3], known: [1, 2], apply: dropout },
};
