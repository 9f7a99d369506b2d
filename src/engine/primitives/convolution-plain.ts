/** Convolutions as ONNX nodes of any dtype on any provider: taps by slices, then matrix products. Slow, and always there. */

import type { DType } from '../dtype.ts';
import { type Emitter, emitReduction, type LoweringCall } from '../onnx/lowering.ts';
import type { Shape } from '../shape.ts';
import type { ConvolutionAttributes } from './convolution-geometry.ts';

interface Picture {
  readonly name: string;
  readonly dtype: DType;
  /** [batch, channels, height, width]. */
  readonly shape: Shape;
}

/** A picture with zeros around it: counts [top, bottom, left, right]; a negative count cuts. */
function emitBorder(
  emit: Emitter,
  { name, dtype, shape }: Picture,
  [top, bottom, left, right]: readonly number[],
): Picture {
  if ([top, bottom, left, right].every((count) => count === 0)) return { name, dtype, shape };
  const padded = emit.node('Pad', [name, emit.ints([0, 0, top, left, 0, 0, bottom, right]), emit.scalar(dtype, 0)]);
  return { name: padded, dtype, shape: [shape[0], shape[1], shape[2] + top + bottom, shape[3] + left + right] };
}

/** Zeros between neighbours, `stride - 1` of them. */
function emitSpread(emit: Emitter, { name, dtype, shape }: Picture, [down, right]: readonly number[]): Picture {
  if (down === 1 && right === 1) return { name, dtype, shape };
  const [batch, channels, height, width] = shape;
  const cells = emit.node('Reshape', [name, emit.ints([batch * channels, height, 1, width, 1])]);
  const pads = emit.ints([0, 0, 0, 0, 0, 0, 0, down - 1, 0, right - 1]);
  const spread = emit.node('Pad', [cells, pads, emit.scalar(dtype, 0)]);
  const full = [batch, channels, height * down, width * right];
  const merged = { name: emit.node('Reshape', [spread, emit.ints(full)]), dtype, shape: full };
  return emitBorder(emit, merged, [0, 1 - down, 0, 1 - right]);
}

/** What each tap of a window sees: [batch, groups, channels / groups * taps, positions], the tap fastest. */
function emitPatches(
  emit: Emitter,
  { name, shape: [batch, channels] }: Picture,
  geometry: {
    readonly window: readonly number[];
    readonly size: readonly number[];
    readonly stride: readonly number[];
    readonly dilation: readonly number[];
    readonly groups: number;
    readonly reversed?: boolean;
  },
): string {
  const { window, size, stride, dilation, groups, reversed = false } = geometry;
  const taps: string[] = [];
  const [rows, columns] = size;
  for (let i = 0; i < window[0]; i++) {
    for (let j = 0; j < window[1]; j++) {
      const starts = [i * dilation[0], j * dilation[1]];
      const ends = starts.map((start, axis) => start + (size[axis] - 1) * stride[axis] + 1);
      const seen = emit.node('Slice', [name, emit.ints(starts), emit.ints(ends), emit.ints([2, 3]), emit.ints(stride)]);
      taps.push(emit.node('Reshape', [seen, emit.ints([batch, channels, 1, rows * columns])]));
    }
  }
  if (reversed) taps.reverse();
  const all = taps.length === 1 ? taps[0] : emit.node('Concat', taps, { attributes: { axis: { int: 2 } } });
  const depth = (channels / groups) * taps.length;
  return emit.node('Reshape', [all, emit.ints([batch, groups, depth, rows * columns])]);
}

function withBias(emit: Emitter, y: string, { inputs, inputTypes }: LoweringCall<object>): string {
  if (inputs.length < 3) return y;
  const channels = inputTypes[2].shape[0];
  return emit.node('Add', [y, emit.node('Reshape', [inputs[2], emit.ints([channels, 1, 1])])]);
}

function picture(call: LoweringCall<object>, index: number): Picture {
  return { name: call.inputs[index], ...call.inputTypes[index] };
}

export function lowerConvolutionPlain(emit: Emitter, call: LoweringCall<ConvolutionAttributes>): string[] {
  const { attributes, inputTypes, outputTypes } = call;
  const [filters, inner, ...window] = inputTypes[1].shape;
  const [{ shape }] = outputTypes;
  const { groups } = attributes;
  const x = emitBorder(emit, picture(call, 0), attributes.padding);
  const patches = emitPatches(emit, x, { ...attributes, window, size: shape.slice(2) });
  const kernel = emit.node('Reshape', [
    call.inputs[1],
    emit.ints([groups, filters / groups, inner * window[0] * window[1]]),
  ]);
  const y = emit.node('Reshape', [emit.node('MatMul', [kernel, patches]), emit.ints(shape)]);
  return [withBias(emit, y, call)];
}

/** The convolution of the spread output with the kernel, taps reversed and channels swapped. */
export function lowerTransposedPlain(emit: Emitter, call: LoweringCall<ConvolutionAttributes>): string[] {
  const { attributes, inputTypes, outputTypes } = call;
  const [filters, inner, ...window] = inputTypes[1].shape;
  const [{ shape }] = outputTypes;
  const { groups, dilation, padding } = attributes;
  const spread = emitSpread(emit, picture(call, 0), attributes.stride);
  const size = shape.slice(2);
  const border = size.flatMap((length, axis) => {
    const extent = dilation[axis] * (window[axis] - 1);
    const before = extent - padding[2 * axis];
    return [before, length + extent - before - spread.shape[2 + axis]];
  });
  const full = emitBorder(emit, spread, border);
  const patches = emitPatches(emit, full, { window, size, stride: [1, 1], dilation, groups, reversed: true });
  const taps = window[0] * window[1];
  const grouped = emit.node('Reshape', [call.inputs[1], emit.ints([groups, filters / groups, inner, taps])]);
  const swapped = emit.node('Transpose', [grouped], { attributes: { perm: [0, 2, 1, 3] } });
  const kernel = emit.node('Reshape', [swapped, emit.ints([groups, inner, (filters / groups) * taps])]);
  const y = emit.node('Reshape', [emit.node('MatMul', [kernel, patches]), emit.ints(shape)]);
  return [withBias(emit, y, call)];
}

/** One product a sample of the patches with the cotangent, then the sum over samples. */
export function lowerKernelGradientPlain(emit: Emitter, call: LoweringCall<ConvolutionAttributes>): string[] {
  const { attributes, inputTypes, outputTypes } = call;
  const [filters, , ...window] = outputTypes[0].shape;
  const [batch, , ...size] = inputTypes[1].shape;
  const { groups } = attributes;
  const x = emitBorder(emit, picture(call, 0), attributes.padding);
  const patches = emitPatches(emit, x, { ...attributes, window, size });
  const d = emit.node('Reshape', [call.inputs[1], emit.ints([batch, groups, filters / groups, size[0] * size[1]])]);
  // The cotangent is turned, and not the patches, which are larger by the number of taps.
  const turned = emit.node('Transpose', [d], { attributes: { perm: [0, 1, 3, 2] } });
  const products = { name: emit.node('MatMul', [patches, turned]), dtype: inputTypes[0].dtype };
  const total = emitReduction(emit, products, (name) =>
    emit.node('ReduceSum', [name, emit.ints([0])], { attributes: { keepdims: { int: 0 } } }),
  );
  const kernel = emit.node('Transpose', [total], { attributes: { perm: [0, 2, 1] } });
  return [emit.node('Reshape', [kernel, emit.ints(outputTypes[0].shape)])];
}
