/** Operators that read and write at indices. Indices of ONNX may count from the end; the engine's count from the front. */
import * as o from '../../ops.ts';
import { elementCount, normalizeAxis, type Shape, stridesOf } from '../../shape.ts';
import type { Tensor } from '../../tensor.ts';
import { knownNumbers } from '../known-values.ts';
import { type NodeCall, type Operators, operand, requiredNumber } from '../operator.ts';
import { indexConstant, listOf } from './index-list.ts';

/** Indices counted from the front. @throws DataError if known ones lie outside. */
function fromFront(node: NodeCall, indices: Tensor, size: number): Tensor {
  const known = knownNumbers(indices);
  if (known === null) return o.select(o.less(indices, 0), o.add(indices, size), indices);
  const wrong = known.find((index) => index < -size || index >= size);
  if (wrong !== undefined) node.refuse(`indices in [${-size}, ${size})`, `${wrong}`);
  if (known.every((index) => index >= 0)) return indices;
  return o.constantTensor(
    known.map((index) => (index < 0 ? index + size : index)),
    indices.shape,
    indices.dtype,
  );
}

function gather(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const axis = normalizeAxis(node.attributes.int('axis', 0), x.shape.length, 'Gather');
  return o.gather(x, fromFront(node, operand(node, 1), x.shape[axis]), axis);
}

/** x without what lies beyond the indices on other axes. */
function covered(x: Tensor, indices: Tensor, axis: number): Tensor {
  return indices.shape.reduce((part: Tensor, size, i) => (i === axis ? part : o.sliceAxis(part, i, 0, size)), x);
}

function gatherElements(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const axis = normalizeAxis(node.attributes.int('axis', 0), x.shape.length, 'GatherElements');
  const indices = fromFront(node, operand(node, 1), x.shape[axis]);
  return o.gatherAlong(covered(x, indices, axis), indices, axis);
}

/** Offsets into the flattened first axes of a shape from index tuples on the last axis, int64 [...tuples]. */
function flatIndices(node: NodeCall, tuples: Tensor, sizes: Shape): Tensor {
  const strides = stridesOf(sizes);
  const last = tuples.shape.length - 1;
  const parts = sizes.map((size, i) => {
    const column = o.reshape(o.sliceAxis(tuples, last, i, i + 1), tuples.shape.slice(0, -1));
    return o.multiply(fromFront(node, column, size), strides[i]);
  });
  return parts.reduce((a, b) => o.add(a, b));
}

/** Slices of x at index tuples; the first axes may be shared with the indices. */
function gatherTuples(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const indices = operand(node, 1);
  const shared = node.attributes.int('batch_dims', 0);
  const depth = indices.shape[indices.shape.length - 1];
  const samples = elementCount(x.shape.slice(0, shared));
  const sizes = x.shape.slice(shared, shared + depth);
  const rest = x.shape.slice(shared + depth);
  const inner = flatIndices(node, o.reshape(indices, [samples, -1, depth]), sizes);
  const starts = o.reshape(indexConstant(listOf(samples, (i) => i * elementCount(sizes))), [samples, 1]);
  const rows = o.reshape(x, [samples * elementCount(sizes), ...rest]);
  const found = o.gather(rows, o.add(inner, o.cast(starts, indices.dtype)));
  return o.reshape(found, [...indices.shape.slice(0, -1), ...rest]);
}

/** Combines data with updates that were spread over zeros; `hits` counts the updates of each element. */
function merged(data: Tensor, spread: Tensor, hits: () => Tensor, reduction: 'none' | 'add'): Tensor {
  return reduction === 'add' ? o.add(data, spread) : o.select(o.greater(hits(), 0), spread, data);
}

/** Indices must differ where updates replace elements: of equal ones ONNX does not say which wins, and here they add up. */
function scatterElements(node: NodeCall): Tensor {
  const [data, updates] = [operand(node, 0), operand(node, 2)];
  const axis = normalizeAxis(node.attributes.int('axis', 0), data.shape.length, 'ScatterElements');
  const reduction = node.attributes.choice('reduction', ['none', 'add']);
  const size = data.shape[axis];
  const indices = fromFront(node, operand(node, 1), size);
  const spread = (values: Tensor) => {
    const part = o.scatterAlong(values, indices, { axis, size });
    const after = data.shape.map((length, i) => length - part.shape[i]);
    return o.pad(part, { before: data.shape.map(() => 0), after });
  };
  return merged(data, spread(updates), () => spread(o.onesLike(updates)), reduction);
}

function scatterTuples(node: NodeCall): Tensor {
  const [data, tuples, updates] = [operand(node, 0), operand(node, 1), operand(node, 2)];
  const reduction = node.attributes.choice('reduction', ['none', 'add']);
  const depth = tuples.shape[tuples.shape.length - 1];
  const sizes = data.shape.slice(0, depth);
  const indices = o.reshape(flatIndices(node, tuples, sizes), [-1]);
  const rows = o.reshape(updates, [indices.shape[0], ...data.shape.slice(depth)]);
  const spread = (values: Tensor) =>
    o.reshape(o.scatterAdd(values, indices, { size: elementCount(sizes) }), data.shape);
  return merged(data, spread(rows), () => spread(o.onesLike(rows)), reduction);
}

/** Rows of `off` with one `on`; indices outside [-depth, depth) give rows of `off`. */
function oneHot(node: NodeCall): Tensor {
  const depth = requiredNumber(node, 1);
  const values = operand(node, 2);
  const given = operand(node, 0);
  const indices = given.dtype === 'int32' ? given : o.cast(given, 'int64');
  const rank = indices.shape.length + 1;
  const axis = normalizeAxis(node.attributes.int('axis', -1), rank, 'OneHot');
  const wrapped = o.select(o.less(indices, 0), o.add(indices, depth), indices);
  const hot = o.oneHot(wrapped, listOf(depth, (i) => i).length, 'bool');
  const order = Array.from({ length: rank }, (_, i) => (i < axis ? i : i === axis ? rank - 1 : i - 1));
  const [off, on] = [0, 1].map((i) => o.reshape(o.sliceAxis(values, 0, i, i + 1), []));
  return o.select(o.transpose(hot, order), on, off);
}

/** Indices of the elements that are not 0: how many there are must be known while tracing. */
function nonZero(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const known = knownNumbers(x) ?? node.refuse('an operand that is known while tracing', 'one that depends on inputs');
  const offsets = known.flatMap((value, offset) => (value === 0 ? [] : [offset]));
  const strides = stridesOf(x.shape);
  const rows = x.shape.map((size, axis) => offsets.map((offset) => Math.floor(offset / strides[axis]) % size));
  return o.constantTensor(rows.flat(), [x.shape.length, offsets.length], 'int64');
}

export const indexingOperators: Operators = {
  Gather: { inputs: [2, 2], apply: gather },
  GatherElements: { inputs: [2, 2], apply: gatherElements },
  GatherND: { inputs: [2, 2], apply: gatherTuples },
  ScatterElements: { inputs: [3, 3], apply: scatterElements },
  Scatter: { inputs: [3, 3], apply: scatterElements },
  ScatterND: { inputs: [3, 3], apply: scatterTuples },
  OneHot: { inputs: [3, 3], known: [1], apply: oneHot },
  NonZero: { inputs: [1, 1], known: [0], apply: nonZero },
};
