/** Windows of convolutions and poolings: sizes and paddings as ONNX gives them, for any number of spatial axes. */
import type { NodeCall } from '../operator.ts';

/** What a window does along each spatial axis. */
export interface Window {
  readonly size: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  /** Zeros before and after the elements. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Elements that a dilated window spans. */
export function span(size: number, dilation: number): number {
  return dilation * (size - 1) + 1;
}

/** A list with one number a spatial axis. */
export function perAxis(
  node: NodeCall,
  name: string,
  { axes, absent, least = 1 }: { readonly axes: number; readonly absent: number; readonly least?: number },
): readonly number[] {
  const list = node.attributes.ints(name) ?? new Array<number>(axes).fill(absent);
  if (list.length !== axes || !list.every((value) => value >= least))
    node.refuse(`\`${name}\` to be ${axes} numbers >= ${least}`, list.join(', '));
  return list;
}

/** Total padding with which there are ceil(length / stride) outputs. */
function samePadding(length: number, extent: number, stride: number): number {
  return Math.max((Math.ceil(length / stride) - 1) * stride + extent - length, 0);
}

/** The window of a node over an operand with spatial axes of the given lengths. */
export function windowOf(node: NodeCall, lengths: readonly number[], size: readonly number[]): Window {
  const axes = lengths.length;
  const stride = perAxis(node, 'strides', { axes, absent: 1 });
  const dilation = perAxis(node, 'dilations', { axes, absent: 1 });
  const mode = node.attributes.choice('auto_pad', ['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER']);
  const explicit = node.attributes.ints('pads') ?? new Array<number>(2 * axes).fill(0);
  if (explicit.length !== 2 * axes) node.refuse(`\`pads\` to be ${2 * axes} numbers`, explicit.join(', '));
  const sides = lengths.map((length, axis): readonly [number, number] => {
    if (mode === 'NOTSET') return [explicit[axis], explicit[axes + axis]];
    if (mode === 'VALID') return [0, 0];
    const total = samePadding(length, span(size[axis], dilation[axis]), stride[axis]);
    const small = Math.floor(total / 2);
    return mode === 'SAME_UPPER' ? [small, total - small] : [total - small, small];
  });
  return {
    size,
    stride,
    dilation,
    before: sides.map(([before]) => before),
    after: sides.map(([, after]) => after),
  };
}
