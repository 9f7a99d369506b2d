/**
 * Convolutions in the CPU provider's blocked layout, [batch, channels / block, height, width, block], whose kernels read pixels in
 * place instead of gathering patches. ONNX Runtime uses these operators (domain com.microsoft.nchwc) by itself where kernels are
 * constants; here kernels are inputs and are reordered at every run.
 */
import type { EmitOptions, Emitter, LoweringCall } from '../onnx/lowering.ts';
import type { TensorType } from '../tensor.ts';
import type { ConvolutionAttributes } from './convolution-geometry.ts';

/** Domain of the blocked layout's operators. */
export const domain = 'com.microsoft.nchwc';

function reshaped(emit: Emitter, name: string, shape: readonly number[]): string {
  return emit.node('Reshape', [name, emit.ints(shape)]);
}

/** A picture in the blocked layout. */
export function reordered(emit: Emitter, name: string): string {
  return emit.node('ReorderInput', [name], { domain, attributes: { channels_last: { int: 0 } } });
}

/** Pixels of the batch for which a number of the kernel must serve to be worth reordering. */
const leastUses = 512;

/** For how many pixels of the batch each number of the kernel serves. */
export function usesOf({ shape: [batch, , height, width] }: TensorType): number {
  return batch * height * width;
}

/**
 * The block if both sides' channels fill blocks and the kernel is used often enough; else `null`. Kernels of one pixel are plain
 * products, with nothing to gather.
 */
export function blockFor(emit: Emitter, [filters, inner, ...window]: readonly number[], uses: number): number | null {
  const block = emit.channelBlock;
  const fits = block !== null && filters % block === 0 && inner % block === 0;
  return fits && window.some((size) => size > 1) && uses >= leastUses ? block : null;
}

/** Pictures from the blocked convolution of pictures with a kernel in the order of its loops. */
function blockedConvolution(
  emit: Emitter,
  inputs: readonly string[],
  { channels, attributes }: { readonly channels: number; readonly attributes: NonNullable<EmitOptions['attributes']> },
): string {
  const [x, ...rest] = inputs;
  const y = emit.node('Conv', [reordered(emit, x), ...rest], { domain, attributes });
  return emit.node('ReorderOutput', [y], {
    domain,
    attributes: { channels: { int: channels }, channels_last: { int: 0 } },
  });
}

/** Attributes of a blocked convolution with paddings [top, bottom, left, right]. */
export function windowAttributes(
  [top, bottom, left, right]: readonly number[],
  { stride, dilation, window }: { stride: readonly number[]; dilation: readonly number[]; window: readonly number[] },
): NonNullable<EmitOptions['attributes']> {
  return {
    strides: stride,
    pads: [top, left, bottom, right],
    dilations: dilation,
    group: { int: 1 },
    kernel_shape: window,
  };
}

/** [batch, height, width, channels] by way of the blocked layout. */
export function throughBlocks(emit: Emitter, x: string, channels: number): string {
  const attributes = { channels: { int: channels }, channels_last: { int: 1 } };
  return emit.node('ReorderOutput', [reordered(emit, x)], { domain, attributes });
}

/**
 * [batch, height, width, channels] by way of the blocked layout: two passes on all threads, where a transpose is one pass on one
 * thread. `null` if channels do not fill blocks.
 */
export function channelsLast(emit: Emitter, x: string, channels: number): string | null {
  const block = emit.channelBlock;
  return block === null || channels % block !== 0 ? null : throughBlocks(emit, x, channels);
}

/** Forward, one group. */
export function lowerConvolutionBlocked(
  emit: Emitter,
  { inputs: [x, kernel, ...bias], inputTypes, attributes }: LoweringCall<ConvolutionAttributes>,
  block: number,
): string[] {
  const [filters, inner, ...window] = inputTypes[1].shape;
  const taps = window[0] * window[1];
  // [filters / block, inner, taps, block], then inner blocks outside of taps.
  const filtersLast = reordered(emit, reshaped(emit, kernel, [filters / block, block, inner, taps]));
  const split = reshaped(emit, filtersLast, [filters / block, inner / block, block, taps, block]);
  const ordered = emit.node('Transpose', [split], { attributes: { perm: [0, 1, 3, 2, 4] } });
  const blocked = reshaped(emit, ordered, [filters, inner, ...window]);
  return [
    blockedConvolution(emit, [x, blocked, ...bias], {
      channels: filters,
      attributes: windowAttributes(attributes.padding, { ...attributes, window }),
    }),
  ];
}

/** Transposed at stride 1, one group: filters and channels exchanged, taps reversed. */
export function lowerTransposedBlocked(
  emit: Emitter,
  { inputs: [y, kernel, ...bias], inputTypes, attributes }: LoweringCall<ConvolutionAttributes>,
  { block, border }: { readonly block: number; readonly border: readonly number[] },
): string[] {
  const [filters, inner, ...window] = inputTypes[1].shape;
  const taps = window[0] * window[1];
  // [filters, inner / block, taps, block], then [inner / block, filters / block, taps, block, block].
  const channelsLast = reordered(emit, reshaped(emit, kernel, [filters, inner, taps, 1]));
  const split = reshaped(emit, channelsLast, [filters / block, block, inner / block, taps, block]);
  const ordered = emit.node('Transpose', [split], { attributes: { perm: [2, 0, 3, 1, 4] } });
  const reversed =
    taps === 1
      ? ordered
      : emit.node('Gather', [ordered, emit.ints(Array.from({ length: taps }, (_, tap) => taps - 1 - tap))], {
          attributes: { axis: { int: 2 } },
        });
  const blocked = reshaped(emit, reversed, [inner, filters, ...window]);
  return [
    blockedConvolution(emit, [y, blocked, ...bias], {
      channels: inner,
      attributes: windowAttributes(border, { ...attributes, stride: [1, 1], window }),
    }),
  ];
}
