/** Poolings over any number of spatial axes: the engine's own over two where it can, else slices that are combined. */
import * as o from '../../ops.ts';
import { maxPool2dPrimitive } from '../../primitives/pooling.ts';
import { applyPrimitive, type Tensor } from '../../tensor.ts';
import { knownTensor } from '../known-values.ts';
import { type NodeCall, type Operator, type Operators, operand } from '../operator.ts';
import { listOf } from './index-list.ts';
import { isFloat } from './numbers.ts';
import { span, type Window, windowOf } from './window.ts';

/** Longest side of a window that is written as slices. */
const LONGEST_SLICED = 1024;

/** A window over an operand, and the number of outputs along each axis. */
interface Pooling extends Window {
  readonly outputs: readonly number[];
  /** Elements beyond the padding that the last window reaches, where outputs are rounded up. */
  readonly beyond: readonly number[];
}

/** Outputs along one axis. Rounded up, there is none whose window starts beyond the elements and their padding before. */
function outputCount(node: NodeCall, room: number, { stride, last }: { stride: number; last: number }, up: boolean) {
  const count = (up ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
  if (!(count >= 1)) node.refuse('windows that fit into the padded operand', 'none');
  return up && (count - 1) * stride >= last ? count - 1 : count;
}

function poolingOf(node: NodeCall, x: Tensor): Pooling {
  const lengths = x.shape.slice(2);
  const size = node.attributes.ints('kernel_shape') ?? node.refuse('`kernel_shape`', 'none');
  if (lengths.length < 1 || size.length !== lengths.length || !size.every((length) => length >= 1))
    node.refuse(`a window over ${lengths.length} spatial axes`, size.join(', '));
  const window = windowOf(node, lengths, size);
  const up = node.attributes.flag('ceil_mode', false);
  const extents = size.map((length, axis) => span(length, window.dilation[axis]));
  const outputs = lengths.map((length, axis) => {
    const room = length + window.before[axis] + window.after[axis] - extents[axis];
    return outputCount(node, room, { stride: window.stride[axis], last: length + window.before[axis] }, up);
  });
  const beyond = outputs.map((count, axis) => {
    const reach = (count - 1) * window.stride[axis] + extents[axis] - window.before[axis] - lengths[axis];
    return Math.max(reach - window.after[axis], 0);
  });
  return { ...window, outputs, beyond };
}

/** Whether the engine's poolings have such windows. */
function isPlain({ size, dilation, before, after, beyond }: Pooling): boolean {
  return (
    size.length <= 2 &&
    dilation.every((step) => step === 1) &&
    size.every((length, axis) => before[axis] >= 0 && before[axis] < length && after[axis] + beyond[axis] < length)
  );
}

/** The engine's options for a plain pooling; a single axis becomes a width. */
function plainOptions({ size, stride, before, after, beyond }: Pooling) {
  const two = (list: readonly number[], neutral: number) => (list.length === 2 ? [...list] : [neutral, ...list]);
  const [top, left] = two(before, 0);
  const [bottom, right] = two(
    after.map((count, axis) => count + beyond[axis]),
    0,
  );
  // Lists of two and four, as made above.
  return {
    window: two(size, 1) as [number, number],
    stride: two(stride, 1) as [number, number],
    padding: [top, bottom, left, right] as const,
  };
}

/** [batch, channels, height, width], a height of 1 where there is none. */
function picture(x: Tensor): Tensor {
  return x.shape.length === 4 ? x : o.reshape(x, x.shape.toSpliced(2, 0, 1));
}

/**
 * Slices of the padded operand, one for each place in the window, combined. Sums and maxima over a box are those along one axis after
 * the other.
 */
function bySlices(node: NodeCall, x: Tensor, pooling: Pooling, combine: typeof o.add, outside: number): Tensor {
  const { size, stride, dilation, before, after, beyond, outputs } = pooling;
  const border = (whole: Tensor, axis: number, count: number) =>
    count > 0 ? [o.broadcastTo(o.constant(outside, x.dtype), whole.shape.with(axis, count))] : [];
  return size.reduce((whole: Tensor, length, i) => {
    if (length > LONGEST_SLICED) node.refuse(`a window of sides of at most ${LONGEST_SLICED}`, `${length}`);
    const axis = 2 + i;
    const ends = [border(whole, axis, before[i]), border(whole, axis, after[i] + beyond[i])];
    const padded = o.concat([...ends[0], whole, ...ends[1]], axis);
    const slices = listOf(length, (tap) => {
      const start = tap * dilation[i];
      const range = { start, end: start + (outputs[i] - 1) * stride[i] + 1, step: stride[i] };
      return o.slice(padded, { [axis]: range });
    });
    return slices.reduce((a, b) => combine(a, b));
  }, x);
}

function maxPool(node: NodeCall): Tensor[] {
  const given = operand(node, 0);
  const columnFirst = node.attributes.flag('storage_order', false);
  const x = isFloat(given) ? given : o.cast(given, 'float32');
  const pooling = poolingOf(node, x);
  if (isPlain(pooling)) {
    const { window, stride, padding } = plainOptions(pooling);
    const [y, indices] = applyPrimitive(maxPool2dPrimitive, [picture(x)], { window, stride, padding });
    const shape = [...x.shape.slice(0, 2), ...pooling.outputs];
    if (columnFirst && node.isUsed(1)) node.refuse('indices in row-major order', 'storage_order 1');
    return [o.cast(o.reshape(y, shape), given.dtype), o.reshape(indices, shape)];
  }
  if (node.isUsed(1)) node.refuse('indices of windows without dilation, over one or two axes', 'others');
  return [o.cast(bySlices(node, x, pooling, o.maximum, -Infinity), given.dtype)];
}

/** Number of elements that each window counts: those of the operand, and of its padding where that counts. */
function counts(
  { size, stride, dilation, before, after, outputs }: Pooling,
  lengths: readonly number[],
  padded: boolean,
) {
  return size.map((length, axis) => {
    const low = padded ? -before[axis] : 0;
    const high = lengths[axis] + (padded ? after[axis] : 0);
    return listOf(outputs[axis], (output) => {
      const start = output * stride[axis] - before[axis];
      const seen = Array.from({ length }, (_, tap) => start + tap * dilation[axis]);
      return seen.filter((at) => at >= low && at < high).length;
    });
  });
}

/** Sums over windows; what lies outside counts as 0. */
function sumPool(node: NodeCall, x: Tensor, pooling: Pooling): Tensor {
  const taps = pooling.size.reduce((count, length) => count * length, 1);
  if (!isPlain(pooling)) return bySlices(node, x, pooling, o.add, 0);
  const means = o.averagePool2d(picture(x), plainOptions(pooling));
  return o.reshape(o.multiply(means, taps), [...x.shape.slice(0, 2), ...pooling.outputs]);
}

/** Means: sums divided by the number of elements that count, axis by axis. */
function averagePool(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const includesPadding = node.attributes.flag('count_include_pad', false);
  const pooling = poolingOf(node, x);
  const lists = counts(pooling, x.shape.slice(2), includesPadding);
  const full = lists.every((list, axis) => list.every((count) => count === pooling.size[axis]));
  if (full && isPlain(pooling)) {
    const means = o.averagePool2d(picture(x), plainOptions(pooling));
    return o.reshape(means, [...x.shape.slice(0, 2), ...pooling.outputs]);
  }
  return lists.reduce(
    (sum: Tensor, list, axis) => {
      const shares = Float64Array.from(list, (count) => 1 / count);
      const shape = [...lists.map(() => 1)].with(axis, list.length);
      const values = x.dtype === 'float64' ? shares : Float32Array.from(shares);
      return o.multiply(sum, knownTensor(x.dtype, shape, values));
    },
    sumPool(node, x, pooling),
  );
}

/** (sum |x|^p)^(1/p). */
function norm(x: Tensor, p: number, sum: (powers: Tensor) => Tensor): Tensor {
  const size = o.abs(x);
  if (p === 1) return sum(size);
  if (p === 2) return o.sqrt(sum(o.multiply(x, x)));
  return o.pow(sum(o.pow(size, p)), 1 / p);
}

function lpPool(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const p = node.attributes.int('p', 2);
  return norm(x, p, (powers) => sumPool(node, powers, poolingOf(node, x)));
}

/** A reduction over all spatial axes, which stay with size 1. */
function globally(f: (x: Tensor, axes: readonly number[], node: NodeCall) => Tensor): Operator {
  return {
    inputs: [1, 1],
    apply(node) {
      const x = operand(node, 0);
      return f(
        x,
        x.shape.map((_, axis) => axis).filter((axis) => axis >= 2),
        node,
      );
    },
  };
}

export const poolingOperators: Operators = {
  MaxPool: { inputs: [1, 1], isProduct: true, apply: maxPool },
  AveragePool: { inputs: [1, 1], isProduct: true, apply: averagePool },
  LpPool: { inputs: [1, 1], isProduct: true, apply: lpPool },
  GlobalMaxPool: globally((x, axes) => o.reduceMax(x, { axes, keepDims: true })),
  GlobalAveragePool: globally((x, axes) => o.reduceMean(x, { axes, keepDims: true })),
  GlobalLpPool: globally((x, axes, node) =>
    norm(x, node.attributes.int('p', 2), (powers) => o.reduceSum(powers, { axes, keepDims: true })),
  ),
};
