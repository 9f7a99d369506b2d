/** Convolutions over one or two spatial axes. */
import * as o from '../../ops.ts';
import type { Tensor } from '../../tensor.ts';
import { type NodeCall, type Operators, operand, optionalOperand } from '../operator.ts';
import { perAxis, span, windowOf } from './window.ts';

type Two = readonly [number, number];
type Four = readonly [number, number, number, number];

/** Spatial sizes of the kernel. @throws DataError unless there are one or two axes and `kernel_shape` agrees. */
function kernelSize(node: NodeCall, x: Tensor, kernel: Tensor): readonly number[] {
  const size = kernel.shape.slice(2);
  if (size.length < 1 || size.length > 2 || x.shape.length !== kernel.shape.length)
    node.refuse('one or two spatial axes', `operands with ${x.shape.length} and ${kernel.shape.length} axes`);
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
  const window = windowOf(node, x.shape.slice(2), kernelSize(node, x, kernel));
  const y = o.conv2d(flat(x), flat(kernel), {
    stride: two(window.stride, 1),
    dilation: two(window.dilation, 1),
    padding: sides(window.before, window.after),
    groups: node.attributes.int('group', 1),
    bias: optionalOperand(node, 2),
  });
  return likeOperand(y, x);
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
  const size = kernelSize(node, x, kernel);
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
