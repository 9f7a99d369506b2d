/**
 * The kernel's gradient in the CPU provider's blocked layout, for small pictures: a convolution over height and width-with-channels,
 * as in convolution-cpu.ts, whose blocks are of samples. Each block of samples is a group of its own; their results are added.
 */
import type { Emitter, LoweringCall } from '../onnx/lowering.ts';
import { domain, reordered, throughBlocks, windowAttributes } from './convolution-blocked.ts';
import type { ConvolutionAttributes } from './convolution-geometry.ts';

/** Bytes of cotangents that are read again for every few numbers of the gradient: they must stay in a core's own cache. */
const cachedBytes = 900_000;
/** Filters that the runtime's blocked kernels compute at once, in blocks. */
const blocksAtOnce = 4;
/**
 * The block if samples and channels fill blocks, the stride is 1 and the cotangents of a block of samples stay in the cache; else
 * `null`. Cutting larger pictures into strips was measured to gain nothing over gathered patches.
 */
export function blockForKernelGradient(
  emit: Emitter,
  { inputTypes: [x, d], attributes: { stride } }: LoweringCall<ConvolutionAttributes>,
): number | null {
  const block = emit.channelBlock;
  const [batch, filters, rows, columns] = d.shape;
  if (block === null || [batch, filters, x.shape[1]].some((count) => count % block !== 0)) return null;
  if (stride.some((step) => step > 1)) return null;
  const bytes = rows * columns * block * block * blocksAtOnce * Float32Array.BYTES_PER_ELEMENT;
  return bytes <= cachedBytes ? block : null;
}

function reshaped(emit: Emitter, name: string, shape: readonly number[]): string {
  return emit.node('Reshape', [name, emit.ints(shape)]);
}

/** Where the cotangent lies in the picture [height, width * channels]. */
interface LineGeometry {
  readonly block: number;
  /** Distances between the cotangent's pixels. */
  readonly dilation: readonly number[];
  /** Zeros around the picture, [top, bottom, left, right]. */
  readonly padding: readonly number[];
}

/**
 * x as [batch / block, height, left + width * channels + right, block]: where the runtime pads left and right itself, it computes one
 * number at a time.
 */
function samplesLast(
  emit: Emitter,
  { x, shape: [batch, channels, height, width] }: { readonly x: string; readonly shape: readonly number[] },
  { block, padding: [, , left, right] }: LineGeometry,
): string {
  const lines = reshaped(emit, throughBlocks(emit, x, channels), [batch, height, width * channels]);
  const padded =
    left + right === 0
      ? lines
      : emit.node('Pad', [lines, emit.ints([0, 0, left, 0, 0, right]), emit.scalar('float32', 0)]);
  return reordered(emit, reshaped(emit, padded, [batch / block, block, height, width * channels + left + right]));
}

export function lowerKernelGradientBlocked(
  emit: Emitter,
  { inputs, inputTypes: [{ shape }, d], outputTypes: [kernel] }: LoweringCall<ConvolutionAttributes>,
  geometry: LineGeometry,
): string[] {
  const { block, dilation } = geometry;
  const [top, bottom, left, right] = geometry.padding;
  const [batch, filters, rows, columns] = d.shape;
  const [, channels, height, width] = shape;
  const groups = batch / block;
  const x = samplesLast(emit, { x: inputs[0], shape }, geometry);
  // [groups, filters, pixels, samples], then [groups, filters / block, pixels, samples, filters of the block].
  const samples = reordered(emit, reshaped(emit, inputs[1], [groups, block, filters, rows * columns]));
  const ordered = reordered(emit, reshaped(emit, samples, [groups, filters, rows * columns * block, 1]));
  const operands = [
    reshaped(emit, x, [1, batch, height, width * channels + left + right]),
    reshaped(emit, ordered, [groups * filters, block, rows, columns]),
  ];
  const attributes = windowAttributes([top, bottom, 0, 0], { stride: [1, 1], dilation, window: [rows, columns] });
  const y = emit.node('Conv', operands, { domain, attributes: { ...attributes, group: { int: groups } } });
  return [summedGroups(emit, y, { groups, kernel: kernel.shape })];
}

/** The kernel's gradient from groups of [filters, window, channels] in the blocked layout. */
function summedGroups(
  emit: Emitter,
  y: string,
  { groups, kernel: [filters, channels, ...window] }: { readonly groups: number; readonly kernel: readonly number[] },
): string {
  const attributes = { channels: { int: groups * filters }, channels_last: { int: 0 } };
  const plain = emit.node('ReorderOutput', [y], { domain, attributes });
  const taps = window[0] * window[1];
  const total =
    groups === 1
      ? reshaped(emit, plain, [filters, taps, channels])
      : emit.node('ReduceSum', [reshaped(emit, plain, [groups, filters, taps, channels]), emit.ints([0])], {
          attributes: { keepdims: { int: 0 } },
        });
  const tapsLast = emit.node('Transpose', [total], { attributes: { perm: [0, 2, 1] } });
  return reshaped(emit, tapsLast, [filters, channels, ...window]);
}
