/**
 * Sizes of two-dimensional convolutions. Three operations share one geometry and are the derivatives of one another:
 * `conv2d` (input, kernel -> output), `convTranspose2d` (output, kernel -> input) and `convKernelGradient` (input, output -> kernel).
 */
import { ShapeError } from '../../errors.ts';
import { formatShape, type Shape } from '../shape.ts';
import { FLOATS, requireSameDtype, type TensorType } from '../tensor.ts';

export type ConvolutionAttributes = {
  /** [vertical, horizontal]. */
  readonly stride: readonly number[];
  /** Zeros around the input: [top, bottom, left, right]. */
  readonly padding: readonly number[];
  /** Distance between taps, [vertical, horizontal]. */
  readonly dilation: readonly number[];
  readonly groups: number;
};

/** Zeros around the input: one number for all sides, [top, bottom, left, right], or what keeps ceil(size / stride) outputs. */
export type Padding = number | readonly [number, number, number, number] | 'same';

/** One number for both axes, or [vertical, horizontal]. */
export type Pair = number | readonly [number, number];

export interface ConvolutionOptions {
  /** Step between outputs, in pixels. Default 1. */
  readonly stride?: Pair;
  /** Default 0. */
  readonly padding?: Padding;
  /** Distance between taps, in pixels. Default 1. */
  readonly dilation?: Pair;
  /** Number of channel groups that do not see each other. Default 1. */
  readonly groups?: number;
}

export function pair(value: Pair): readonly [number, number] {
  return typeof value === 'number' ? [value, value] : value;
}

/** Extent of a dilated window along one axis. */
function reach(size: number, dilation: number): number {
  return dilation * (size - 1) + 1;
}

/** Padding as [top, bottom, left, right]. */
export function fullPadding(
  padding: Padding,
  size: readonly number[],
  {
    window,
    stride,
    dilation = [1, 1],
  }: { window: readonly number[]; stride: readonly number[]; dilation?: readonly number[] },
): number[] {
  if (padding !== 'same') return typeof padding === 'number' ? [padding, padding, padding, padding] : [...padding];
  return size.flatMap((length, axis) => {
    const outputs = Math.ceil(length / stride[axis]);
    const total = Math.max((outputs - 1) * stride[axis] + reach(window[axis], dilation[axis]) - length, 0);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
}

/** Options made explicit for an input and a kernel of the given spatial sizes. */
export function convolutionAttributes(
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvolutionOptions,
  size: readonly number[],
  window: readonly number[],
): ConvolutionAttributes {
  const steps = { window, stride: pair(stride), dilation: pair(dilation) };
  return { stride: steps.stride, padding: fullPadding(padding, size, steps), dilation: steps.dilation, groups };
}

/** Attributes as options. */
export function explicitOptions({ stride, padding, dilation, groups }: ConvolutionAttributes) {
  // Attributes are lists of the lengths that the options' tuples name.
  return {
    stride: stride as [number, number],
    padding: padding as [number, number, number, number],
    dilation: dilation as [number, number],
    groups,
  };
}

/** Spatial size of a convolution's output. */
export function outputSize(
  size: readonly number[],
  window: readonly number[],
  { stride, padding, dilation }: Omit<ConvolutionAttributes, 'groups'>,
): number[] {
  return size.map((length, axis) => {
    const padded = length + padding[2 * axis] + padding[2 * axis + 1];
    return Math.floor((padded - reach(window[axis], dilation[axis])) / stride[axis]) + 1;
  });
}

/** Smallest input that gives an output of the size. */
export function smallestInput(
  size: readonly number[],
  window: readonly number[],
  { stride, padding, dilation }: ConvolutionAttributes,
): number[] {
  return size.map(
    (length, axis) =>
      (length - 1) * stride[axis] + reach(window[axis], dilation[axis]) - padding[2 * axis] - padding[2 * axis + 1],
  );
}

/** Where an operation is in its error messages, and what it calls its operands. */
function refuse(expected: string, got: string, where: string): never {
  throw new ShapeError({ expected, got, where: `engine ${where}` });
}

function requireWhole(
  values: readonly number[],
  least: number,
  { name, where }: { name: string; where: string },
): void {
  if (!values.every((value) => Number.isInteger(value) && value >= least))
    refuse(`\`${name}\` to be integers >= ${least}`, formatShape(values), where);
}

/** @throws ShapeError unless operands are rank 4 of one float dtype, and the attributes are in range. */
export function checkConvolution(
  inputs: readonly TensorType[],
  attributes: ConvolutionAttributes,
  where: string,
): void {
  requireSameDtype(inputs, `engine ${where}`, FLOATS);
  const [a, b] = inputs;
  if (a.shape.length !== 4 || b.shape.length !== 4)
    refuse('operands with 4 axes', `${formatShape(a.shape)} and ${formatShape(b.shape)}`, where);
  requireWhole(attributes.stride, 1, { name: 'stride', where });
  requireWhole(attributes.dilation, 1, { name: 'dilation', where });
  requireWhole(attributes.padding, 0, { name: 'padding', where });
  requireWhole([attributes.groups], 1, { name: 'groups', where });
}

/** Shape of the output for an input [batch, in, ...size] and a kernel [out, in / groups, ...window]. */
export function convolvedShape(x: Shape, kernel: Shape, attributes: ConvolutionAttributes, where: string): number[] {
  const { groups } = attributes;
  if (x[1] !== kernel[1] * groups || kernel[0] % groups !== 0)
    refuse(
      `a kernel [out, ${x[1]} / groups, ...] with \`groups\` = ${groups} dividing its channels`,
      formatShape(kernel),
      where,
    );
  const size = outputSize(x.slice(2), kernel.slice(2), attributes);
  if (!size.every((length) => length >= 1))
    refuse('a padded input not smaller than the kernel', `${formatShape(x)} and ${formatShape(kernel)}`, where);
  return [x[0], kernel[0], ...size];
}

/** @throws ShapeError unless `bias` is absent or [channels]. */
export function checkBias(bias: TensorType | undefined, channels: number, where: string): void {
  if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== channels))
    refuse(`\`bias\` to be [${channels}]`, formatShape(bias.shape), where);
}

/** Calls `visit(offset in the input, in the kernel, in the output)` for every product of a convolution. */
export function forEachProduct(
  { x, kernel, y }: { readonly x: Shape; readonly kernel: Shape; readonly y: Shape },
  { stride, padding, dilation, groups }: ConvolutionAttributes,
  visit: (x: number, kernel: number, y: number) => void,
): void {
  const [, channels, height, width] = x;
  const [filters, inner, windowHeight, windowWidth] = kernel;
  const [batch, , rows, columns] = y;
  const perGroup = filters / groups;
  for (let offset = 0; offset < batch * filters * rows * columns; offset++) {
    const column = offset % columns;
    const row = Math.floor(offset / columns) % rows;
    const filter = Math.floor(offset / (columns * rows)) % filters;
    const sample = Math.floor(offset / (columns * rows * filters));
    const first = Math.floor(filter / perGroup) * inner;
    for (let c = 0; c < inner; c++) {
      for (let i = 0; i < windowHeight; i++) {
        const top = row * stride[0] + i * dilation[0] - padding[0];
        if (top < 0 || top >= height) continue;
        for (let j = 0; j < windowWidth; j++) {
          const left = column * stride[1] + j * dilation[1] - padding[2];
          if (left < 0 || left >= width) continue;
          const tap = ((filter * inner + c) * windowHeight + i) * windowWidth + j;
          visit(((sample * channels + first + c) * height + top) * width + left, tap, offset);
        }
      }
    }
  }
}
