/**
 * Convolutions in float32 on the CPU provider, in the forms that were measured to be fastest there: each is one `Conv` node, which
 * gathers its patches in the cache, and copies that are small beside it. What these forms do not cover takes the plain one.
 */
import type { Emitter, LoweringCall } from '../onnx/lowering.ts';
import { blockFor, channelsLast, lowerTransposedBlocked, usesOf } from './convolution-blocked.ts';
import { blockForKernelGradient, lowerKernelGradientBlocked } from './convolution-blocked-gradient.ts';
import type { ConvolutionAttributes } from './convolution-geometry.ts';
import { lowerKernelGradientPlain } from './convolution-plain.ts';

function isOne(values: readonly number[]): boolean {
  return values.every((value) => value === 1);
}

function reshaped(emit: Emitter, name: string, shape: readonly number[]): string {
  return emit.node('Reshape', [name, emit.ints(shape)]);
}

function transposed(emit: Emitter, name: string, perm: readonly number[]): string {
  return emit.node('Transpose', [name], { attributes: { perm } });
}

/** [taps, taps] that reverses the order of taps: a product with it is faster than a reversing slice, and as exact. */
function reversal(emit: Emitter, taps: number): string {
  const matrix = new Float32Array(taps * taps);
  for (let tap = 0; tap < taps; tap++) matrix[tap * taps + taps - 1 - tap] = 1;
  return emit.constant('float32', [taps, taps], matrix);
}

/** Zeros that a stride-1 transposed convolution needs around its operand, [top, bottom, left, right]; they may be negative. */
function transposedBorder({
  attributes,
  inputTypes: [y, kernel],
  outputTypes: [x],
}: LoweringCall<ConvolutionAttributes>) {
  return [0, 1].flatMap((axis) => {
    const extent = attributes.dilation[axis] * (kernel.shape[2 + axis] - 1);
    const before = extent - attributes.padding[2 * axis];
    return [before, x.shape[2 + axis] + extent - before - y.shape[2 + axis]];
  });
}

/** Whether a transposed convolution is a convolution of its operand, without zeros between its pixels. */
export function isStrideOneTransposed(call: LoweringCall<ConvolutionAttributes>): boolean {
  return isOne(call.attributes.stride) && transposedBorder(call).every((count) => count >= 0);
}

/** At stride 1: the convolution with the rotated kernel, input and output channels swapped. */
export function lowerStrideOneTransposed(emit: Emitter, call: LoweringCall<ConvolutionAttributes>): string[] {
  const { groups, dilation } = call.attributes;
  const [filters, inner, ...window] = call.inputTypes[1].shape;
  const taps = window[0] * window[1];
  const border = transposedBorder(call);
  const block = groups === 1 ? blockFor(emit, call.inputTypes[1].shape, usesOf(call.outputTypes[0])) : null;
  if (block !== null) return lowerTransposedBlocked(emit, call, { block, border });
  const [top, bottom, left, right] = border;
  const rows = reshaped(emit, call.inputs[1], [filters * inner, taps]);
  const rotated = taps === 1 ? rows : emit.node('MatMul', [rows, reversal(emit, taps)]);
  const swapped = transposed(emit, reshaped(emit, rotated, [groups, filters / groups, inner, taps]), [0, 2, 1, 3]);
  const kernel = reshaped(emit, swapped, [groups * inner, filters / groups, ...window]);
  const attributes = {
    strides: [1, 1],
    pads: [top, left, bottom, right],
    dilations: dilation,
    group: { int: groups },
    kernel_shape: window,
  };
  return [emit.node('Conv', [call.inputs[0], kernel, ...call.inputs.slice(2)], { attributes })];
}

/** For windows of one pixel: a product of all pixels of all samples, or one a sample and their sum, whichever moves less. */
function lowerPointwise(emit: Emitter, { inputs, inputTypes, outputTypes: [kernel] }: LoweringCall<object>): string[] {
  const [[batch, channels, height, width], [, filters]] = inputTypes.map(({ shape }) => shape);
  const pixels = height * width;
  const product = (d: string, x: string) =>
    emit.node('FusedMatMul', [d, x], { domain: 'com.microsoft', attributes: { transB: { int: 1 } } });
  const [x, d] = [
    reshaped(emit, inputs[0], [batch, channels, pixels]),
    reshaped(emit, inputs[1], [batch, filters, pixels]),
  ];
  if (channels * filters <= pixels * (channels + filters)) {
    const total = emit.node('ReduceSum', [product(d, x), emit.ints([0])], { attributes: { keepdims: { int: 0 } } });
    return [reshaped(emit, total, kernel.shape)];
  }
  const row = (name: string, count: number) =>
    reshaped(emit, transposed(emit, name, [1, 0, 2]), [count, batch * pixels]);
  return [reshaped(emit, product(row(d, filters), row(x, channels)), kernel.shape)];
}

/**
 * The kernel's gradient as one convolution over height and width-with-channels, whose channels are the samples and whose kernel is
 * the cotangent: with x as rows [height, width * channels],
 * kernel[k, (i, j, c)] = sum over n, y, x of d[n, k, (y, x)] x[n, stride y + i, (stride x + j) channels + c].
 */
function lowerAsConvolution(emit: Emitter, call: LoweringCall<ConvolutionAttributes>): string[] {
  const { stride, padding } = call.attributes;
  const [[batch, channels, height, width], [, , rows, columns]] = call.inputTypes.map(({ shape }) => shape);
  const [filters, , ...window] = call.outputTypes[0].shape;
  const reach = [stride[0] * (rows - 1), stride[1] * (columns - 1)];
  const dilation = [stride[0], stride[1] * channels];
  const top = padding[0];
  const left = padding[2] * channels;
  const bottom = window[0] + reach[0] - height - top;
  const right = (window[1] + reach[1] - width) * channels - left;
  const block = blockForKernelGradient(emit, call);
  if (block !== null)
    return lowerKernelGradientBlocked(emit, call, { block, dilation, padding: [top, bottom, left, right] });
  const lines = pixelsWithChannels(emit, call.inputs[0], [batch, channels, height, width]);
  const attributes = {
    strides: [1, 1],
    dilations: dilation,
    pads: [top, left, bottom, right],
    kernel_shape: [rows, columns],
  };
  const filtersFirst = samplesBehindChannels(emit, call.inputs[1], call.inputTypes[1].shape);
  const y = emit.node('Conv', [lines, filtersFirst], { attributes });
  const tapsBeforeChannels = reshaped(emit, y, [filters, window[0] * window[1], channels]);
  return [reshaped(emit, transposed(emit, tapsBeforeChannels, [0, 2, 1]), call.outputTypes[0].shape)];
}

/** The same at stride 1 with the operands' parts exchanged, for fewer filters than channels: taps come out in reverse. */
function lowerAsSwappedConvolution(emit: Emitter, call: LoweringCall<ConvolutionAttributes>): string[] {
  const { padding } = call.attributes;
  const [[batch, channels, height, width], [, filters, rows, columns]] = call.inputTypes.map(({ shape }) => shape);
  const [, , ...window] = call.outputTypes[0].shape;
  const taps = window[0] * window[1];
  const lines = pixelsWithChannels(emit, call.inputs[1], [batch, filters, rows, columns]);
  const top = window[0] - 1 - padding[0];
  const left = window[1] - 1 - padding[2];
  const attributes = {
    strides: [1, 1],
    dilations: [1, filters],
    pads: [
      top,
      left * filters,
      height + window[0] - 1 - rows - top,
      (width + window[1] - 1 - columns - left) * filters,
    ],
    kernel_shape: [height, width],
  };
  const y = emit.node('Conv', [lines, samplesBehindChannels(emit, call.inputs[0], call.inputTypes[0].shape)], {
    attributes,
  });
  const kernel = transposed(emit, reshaped(emit, y, [channels, taps, filters]), [2, 0, 1]);
  const ordered = emit.node('MatMul', [reshaped(emit, kernel, [filters * channels, taps]), reversal(emit, taps)]);
  return [reshaped(emit, ordered, call.outputTypes[0].shape)];
}

/** [batch, channels, height, width] as one picture of `batch` channels: [1, batch, height, width * channels]. */
function pixelsWithChannels(emit: Emitter, name: string, [batch, channels, height, width]: readonly number[]): string {
  if (channels === 1) return reshaped(emit, name, [1, batch, height, width]);
  const pixelsFirst =
    channelsLast(emit, name, channels) ??
    transposed(emit, reshaped(emit, name, [batch, channels, height * width]), [0, 2, 1]);
  return reshaped(emit, pixelsFirst, [1, batch, height, width * channels]);
}

/** [channels, batch, height, width], whole pictures at a time: rows are gathered on all threads, where a transpose runs on one. */
function samplesBehindChannels(
  emit: Emitter,
  name: string,
  [batch, channels, height, width]: readonly number[],
): string {
  const rows = reshaped(emit, name, [batch * channels, height * width]);
  const order = Array.from({ length: batch * channels }, (_, i) => (i % batch) * channels + Math.floor(i / batch));
  return reshaped(emit, emit.node('Gather', [rows, emit.ints(order)]), [channels, batch, height, width]);
}

export function lowerKernelGradientCpu(emit: Emitter, call: LoweringCall<ConvolutionAttributes>): readonly string[] {
  const { stride, padding, dilation, groups } = call.attributes;
  const [x, d] = call.inputTypes;
  const [filters, channels, ...window] = call.outputTypes[0].shape;
  if (x.dtype !== 'float32' || groups > 1 || !isOne(dilation)) return lowerKernelGradientPlain(emit, call);
  if (isOne(window) && isOne(stride) && padding.every((count) => count === 0)) return lowerPointwise(emit, call);
  // The convolution's paddings cannot be negative.
  const covers = [0, 1].every(
    (axis) => window[axis] + stride[axis] * (d.shape[2 + axis] - 1) >= x.shape[2 + axis] + padding[2 * axis],
  );
  const swaps = filters < channels && blockForKernelGradient(emit, call) === null;
  if (swaps && isOne(stride) && padding.every((count, side) => count < window[side >> 1]))
    return lowerAsSwappedConvolution(emit, call);
  return covers ? lowerAsConvolution(emit, call) : lowerKernelGradientPlain(emit, call);
}
