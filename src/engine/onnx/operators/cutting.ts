/** Operators that cut tensors and put them together. */
import * as o from '../../ops.ts';
import { scalarValue } from '../../primitives/constant.ts';
import { normalizeAxis } from '../../shape.ts';
import type { Tensor } from '../../tensor.ts';
import {
  allOperands,
  attributeOrOperand,
  knownOperand,
  type NodeCall,
  type Operators,
  operand,
  optionalOperand,
} from '../operator.ts';
import { listOf, pick } from './index-list.ts';

interface Cut {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Bounds as NumPy reads them: negative ones count from the end, and those outside are moved to it. */
function cut(x: Tensor, axis: number, { start, end, step }: Cut): Tensor {
  const size = x.shape[axis];
  const bound = (value: number, low: number, high: number) =>
    Math.min(Math.max(value < 0 ? value + size : value, low), high);
  if (step > 0) {
    const from = bound(start, 0, size);
    const to = Math.max(bound(end, 0, size), from);
    return o.slice(x, { [axis]: { start: from, end: to, step: Math.min(step, Math.max(size, 1)) } });
  }
  const from = bound(start, 0, size - 1);
  const count = Math.max(Math.ceil((bound(end, -1, size - 1) - from) / step), 0);
  return pick(
    x,
    axis,
    listOf(count, (i) => from + i * step),
  );
}

/** Bounds were attributes up to opset 9. */
function slice(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const starts = attributeOrOperand(node, 'starts', 1) ?? node.refuse('starts', 'none');
  const ends = attributeOrOperand(node, 'ends', 2) ?? node.refuse('ends', 'none');
  const axes = attributeOrOperand(node, 'axes', 3) ?? starts.map((_, axis) => axis);
  const steps = knownOperand(node, 4) ?? starts.map(() => 1);
  if ([ends, axes, steps].some((list) => list.length !== starts.length) || steps.includes(0))
    node.refuse('as many ends, axes and steps (none 0) as starts', 'others');
  return axes.reduce((result: Tensor, axis, i) => {
    const place = normalizeAxis(axis, x.shape.length, 'Slice');
    return cut(result, place, { start: starts[i], end: ends[i], step: steps[i] });
  }, x);
}

/** Sizes were an attribute up to opset 12; from opset 18 on a number of parts may be given, the last of which may be smaller. */
function split(node: NodeCall): Tensor[] {
  const x = operand(node, 0);
  const axis = normalizeAxis(node.attributes.int('axis', 0), x.shape.length, 'Split');
  const sizes = attributeOrOperand(node, 'split', 1);
  const parts = node.attributes.int('num_outputs', node.outputCount);
  if (sizes !== null) return o.split(x, sizes, axis);
  if (parts !== node.outputCount) node.refuse(`${parts} outputs`, `${node.outputCount}`);
  const size = x.shape[axis];
  const each = Math.ceil(size / parts);
  const list = Array.from({ length: parts }, (_, i) => Math.max(Math.min(each, size - i * each), 0));
  return o.split(x, list, axis);
}

/** Where index i of a padded axis is read, by mode. */
const outside = {
  edge: (i: number, size: number) => Math.min(Math.max(i, 0), size - 1),
  wrap: (i: number, size: number) => ((i % size) + size) % size,
  reflect(i: number, size: number) {
    if (size === 1) return 0;
    const period = 2 * (size - 1);
    const within = ((i % period) + period) % period;
    return within < size ? within : period - within;
  },
} as const;

interface AxisPad {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
}

/** A constant before and after the elements of one axis. */
function padConstant(x: Tensor, { axis, before, after }: AxisPad, value: Tensor): Tensor {
  const block = (count: number) => (count > 0 ? [o.broadcastTo(value, x.shape.with(axis, count))] : []);
  return o.concat([...block(before), x, ...block(after)], axis);
}

/** Negative paddings cut. */
function cropped(x: Tensor, { axis, before, after }: AxisPad): Tensor {
  return o.sliceAxis(x, axis, Math.max(-before, 0), x.shape[axis] - Math.max(-after, 0));
}

/** An axis beyond its ends, by one of the modes. */
function padAxis(x: Tensor, counts: AxisPad, mode: keyof typeof outside | 'constant', fill: Tensor): Tensor {
  const { axis, before, after } = counts;
  if (before + after === 0) return x;
  if (mode === 'constant') return padConstant(x, counts, fill);
  const size = Math.max(x.shape[axis], 1);
  return pick(
    x,
    axis,
    listOf(before + x.shape[axis] + after, (at) => outside[mode](at - before, size)),
  );
}

/** Paddings were an attribute up to opset 10; from opset 18 on they may be those of some axes. */
function pad(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const mode = node.attributes.choice('mode', ['constant', 'reflect', 'edge', 'wrap']);
  const pads = attributeOrOperand(node, 'pads', 1) ?? node.refuse('pads', 'none');
  const all = x.shape.map((_, axis) => axis);
  const axes = (knownOperand(node, 3) ?? all).map((axis) => normalizeAxis(axis, x.shape.length, 'Pad'));
  if (pads.length !== 2 * axes.length) node.refuse(`${2 * axes.length} pads`, `${pads.length}`);
  const value = optionalOperand(node, 2);
  const fill = value === null ? o.constant(node.attributes.float('value', 0), x.dtype) : o.reshape(value, []);
  const list = axes.map((axis, i) => ({ axis, before: pads[i], after: pads[i + axes.length] }));
  const kept = list.reduce(cropped, x);
  const counts = list.map(({ axis, before, after }) => ({
    axis,
    before: Math.max(before, 0),
    after: Math.max(after, 0),
  }));
  if (mode === 'constant' && scalarValue(fill) === 0) {
    const side = (of: 'before' | 'after') => all.map((axis) => counts.find((one) => one.axis === axis)?.[of] ?? 0);
    return o.pad(kept, { before: side('before'), after: side('after') });
  }
  return counts.reduce((result: Tensor, one) => padAxis(result, one, mode, fill), kept);
}

export const cuttingOperators: Operators = {
  Concat: {
    inputs: [1, Number.MAX_SAFE_INTEGER],
    apply: (node) => o.concat(allOperands(node), node.attributes.int('axis', 1)),
  },
  Slice: { inputs: [1, 5], known: [1, 2, 3, 4], apply: slice },
  Split: { inputs: [1, 2], known: [1], apply: split },
  Pad: { inputs: [1, 4], known: [1, 2, 3], apply: pad },
};
