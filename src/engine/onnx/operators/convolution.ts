/** Convolutions over one to three spatial axes, transposed ones over one or two. */
import * as o from '../../ops.ts';
import type { Tensor } from '../../tensor.ts';
import { type NodeCall, type Operators, operand, optionalOperand } from '../operator.ts';
import { listOf } from './index-list.ts';
import { perAxis, span, type Window, windowOf } from './window.ts';

type Two = readonly [number, number];
type Four = readonly [number, number, number, number];

/** Spatial sizes of the kernel. @throws DataError unless there are one to `most` axes and `kernel_shape` agrees. */
function kernelSize(node: NodeCall, x: Tensor, kernel: Tensor, most: number): readonly number[] {
  const size = kernel.shape.slice(2);
  if (size.length < 1 || size.length > most || x.shape.length !== kernel.shape.length)
    node.refuse(`1 to ${most} spatial axes`, `operands with ${x.shape.length} and ${kernel.shape.length} axes`);
  const stated = node.attributes.ints('kernel_shape') ?? size;
  if (stated.length !== size.length || stated.some((length, axis) => length !== size[axis]))
    node.refuse(`\`kernel_shape\` of the kernel, ${size.join(', ')}`, stated.join(', '));
  return size;
}

/** A tensor with a height of 1 where it has a width only. */
function flat(x: Tensor): Tensor {
  return x.shape.length === 4 ? x : o.reshape(x, x.shape.toSpliced(2, 0, 1));
}

/** Numbers of a height in front of those of a width. */
function two(list: readonly number[], neutral: number): Two {
  return list.length === 2 ? [list[0], list[1]] : [neutral, list[0]];
}

/** [top, bottom, left, right]. */
function sides(before: readonly number[], after: readonly number[]): Four {
  const [top, left] = two(before, 0);
  const [bottom, right] = two(after, 0);
  return [top, bottom, left, right];
}

/** The result without the height that `flat` added. */
function likeOperand(y: Tensor, x: Tensor): Tensor {
  return x.shape.length === 4 ? y : o.reshape(y, y.shape.toSpliced(2, 1));
}

function conv(node: NodeCall): Tensor {
  const [x, kernel] = [operand(node, 0), operand(node, 1)];
  const window = windowOf(node, x.shape.slice(2), kernelSize(node, x, kernel, 3));
  const options = { groups: node.attributes.int('group', 1), bias: optionalOperand(node, 2) };
  if (window.size.length === 3) return convolved3d(x, kernel, { ...window, ...options });
  return likeOperand(convolved2d(flat(x), flat(kernel), { ...window, ...options }), x);
}

interface ConvolutionWindow extends Window {
  readonly groups: number;
  readonly bias: Tensor | null;
}

function convolved2d(x: Tensor, kernel: Tensor, { stride, dilation, before, after, ...rest }: ConvolutionWindow) {
  return o.conv2d(x, kernel, {
    stride: two(stride, 1),
    dilation: two(dilation, 1),
    padding: sides(before, after),
    groups: rest.groups,
    bias: rest.bias,
  });
}

/** Over depth, height and width: the depths that the kernel sees become channels, and the depths of the result samples. */
function convolved3d(x: Tensor, kernel: Tensor, window: ConvolutionWindow): Tensor {
  const [batch, channels, depth, height, width] = x.shape;
  const [filters, inner, taps, ...plane] = kernel.shape;
  const { stride, dilation, before, after } = window;
  const reach = span(taps, dilation[0]);
  const depths = Math.floor((depth + before[0] + after[0] - reach) / stride[0]) + 1;
  const along = (count: number) => [0, 0, count, 0, 0];
  const padded = o.pad(x, { before: along(before[0]), after: along(after[0]) });
  const seen = listOf(taps, (tap) => {
    const start = tap * dilation[0];
    return o.slice(padded, { 2: { start, end: start + (depths - 1) * stride[0] + 1, step: stride[0] } });
  });
  // [batch, channels, taps, depths, ...] to [batch, depths, channels, taps, ...]: channels keep their groups.
  const stacked = o.transpose(o.stack(seen, 2), [0, 3, 1, 2, 4, 5]);
  const rest = (list: readonly number[]) => list.slice(1);
  const y = convolved2d(
    o.reshape(stacked, [batch * depths, channels * taps, height, width]),
    o.reshape(kernel, [filters, inner * taps, ...plane]),
    { ...window, stride: rest(stride), dilation: rest(dilation), before: rest(before), after: rest(after) },
  );
  return o.transpose(o.reshape(y, [batch, depths, ...y.shape.slice(1)]), [0, 2, 1, 3, 4]);
}

/** One axis of a transposed convolution: how much of the whole result is cut off, or added at its end. */
interface Cut {
  readonly before: number;
  readonly after: number;
  readonly added: number;
}

/** The cut that leaves `wanted` of `whole` elements; the smaller half comes first if `upper`. */
function cutTo(wanted: number, whole: number, upper: boolean): Cut {
  const total = whole - wanted;
  if (total < 0) return { before: 0, after: 0, added: -total };
  const small = Math.floor(total / 2);
  const [before, after] = upper ? [small, total - small] : [total - small, small];
  return { before, after, added: 0 };
}

/** Cuts of all axes: as they stand, from a wanted shape, or from a mode. */
function cutsOf(
  node: NodeCall,
  lengths: readonly number[],
  { size, stride, dilation }: { size: readonly number[]; stride: readonly number[]; dilation: readonly number[] },
): Cut[] {
  const axes = size.length;
  const { attributes } = node;
  const added = perAxis(node, 'output_padding', { axes, absent: 0, least: 0 });
  const wanted = attributes.ints('output_shape');
  const mode = attributes.choice('auto_pad', ['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER']);
  const pads = attributes.ints('pads') ?? new Array<number>(2 * axes).fill(0);
  if (pads.length !== 2 * axes) node.refuse(`\`pads\` to be ${2 * axes} numbers`, pads.join(', '));
  return lengths.map((length, axis) => {
    const whole = stride[axis] * (length - 1) + span(size[axis], dilation[axis]);
    const upper = mode === 'SAME_UPPER';
    if (wanted !== null) return cutTo(wanted[wanted.length - axes + axis], whole, upper);
    if (upper || mode === 'SAME_LOWER') return cutTo(length * stride[axis], whole + added[axis], upper);
    const [before, after] = mode === 'VALID' ? [0, 0] : [pads[axis], pads[axes + axis]];
    return { before, after, added: added[axis] };
  });
}

function convTranspose(node: NodeCall): Tensor {
  const [x, kernel] = [operand(node, 0), operand(node, 1)];
  const size = kernelSize(node, x, kernel, 2);
  const stride = perAxis(node, 'strides', { axes: size.length, absent: 1 });
  const dilation = perAxis(node, 'dilations', { axes: size.length, absent: 1 });
  const cuts = cutsOf(node, x.shape.slice(2), { size, stride, dilation });
  const list = (of: keyof Cut) => cuts.map((one) => one[of]);
  const y = o.convTranspose2d(flat(x), flat(kernel), {
    stride: two(stride, 1),
    dilation: two(dilation, 1),
    padding: sides(list('before'), list('after')),
    outputPadding: two(list('added'), 0),
    groups: node.attributes.int('group', 1),
    bias: optionalOperand(node, 2),
  });
  return likeOperand(y, x);
}

export const convolutionOperators: Operators = {
  Conv: { inputs: [2, 3], isProduct: true, apply: conv },
  ConvTranspose: { inputs: [2, 3], isProduct: true, apply: convTranspose },
};
