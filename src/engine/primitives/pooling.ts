/** Means and maxima over windows of height and width. */

import { ShapeError } from '../../errors.ts';
import type { Emitter, LoweringCall } from '../onnx/lowering.ts';
import type { Primitive } from '../primitive.ts';
import { elementCount, formatShape, type Shape } from '../shape.ts';
import { applyPrimitive, FLOATS, requireSameDtype, type Tensor, type TensorType } from '../tensor.ts';
import { constantTensor } from './constant.ts';
import { fullPadding, outputSize, type Padding, type Pair, pair } from './convolution-geometry.ts';
import { lowerConvolutionPlain } from './convolution-plain.ts';

type PoolingAttributes = {
  readonly window: readonly number[];
  readonly stride: readonly number[];
  /** [top, bottom, left, right]. */
  readonly padding: readonly number[];
};

const dense = { dilation: [1, 1], groups: 1 };

function pooledType(x: TensorType, { window, stride, padding }: PoolingAttributes, where: string): TensorType {
  const dtype = requireSameDtype([x], `engine ${where}`, FLOATS);
  if (x.shape.length !== 4)
    throw new ShapeError({ expected: 'an operand with 4 axes', got: formatShape(x.shape), where: `engine ${where}` });
  const size = outputSize(x.shape.slice(2), window, { stride, padding, ...dense });
  const inside = padding.every((count, side) => count >= 0 && count < window[side >> 1]);
  if (
    !inside ||
    !size.every((length) => length >= 1) ||
    ![...window, ...stride].every((n) => Number.isInteger(n) && n > 0)
  ) {
    throw new ShapeError({
      expected: 'a window that fits into the padded input, strides >= 1 and paddings below the window',
      got: `window ${formatShape(window)}, stride ${formatShape(stride)}, padding ${formatShape(padding)} on ${formatShape(x.shape)}`,
      where: `engine ${where}`,
    });
  }
  return { dtype, shape: [x.shape[0], x.shape[1], ...size] };
}

function onnxAttributes({ window, stride, padding: [top, bottom, left, right] }: PoolingAttributes) {
  return { kernel_shape: window, strides: stride, pads: [top, left, bottom, right] };
}

/** Calls `visit(offset in x, offset in y)` for each element that a window sees. */
function forEachSeen(
  x: Shape,
  y: Shape,
  { window, stride, padding }: PoolingAttributes,
  visit: (from: number, to: number) => void,
): void {
  const [, , height, width] = x;
  const [, , rows, columns] = y;
  for (let to = 0; to < elementCount(y); to++) {
    const column = to % columns;
    const row = Math.floor(to / columns) % rows;
    const plane = Math.floor(to / (columns * rows));
    for (let i = 0; i < window[0] * window[1]; i++) {
      const top = row * stride[0] - padding[0] + Math.floor(i / window[1]);
      const left = column * stride[1] - padding[2] + (i % window[1]);
      if (top >= 0 && top < height && left >= 0 && left < width) visit((plane * height + top) * width + left, to);
    }
  }
}

/** Channels as samples of one channel each, [batch * channels, 1, height, width]: what a convolution with one filter takes. */
function planes(shape: Shape): number[] {
  return [shape[0] * shape[1], 1, shape[2], shape[3]];
}

function lowerAverage(emit: Emitter, call: LoweringCall<PoolingAttributes>): string[] {
  const { attributes, inputTypes, outputTypes } = call;
  const [x] = inputTypes;
  if (x.dtype !== 'float64') {
    const counted = { ...onnxAttributes(attributes), count_include_pad: { int: 1 } };
    return [emit.node('AveragePool', call.inputs, { attributes: counted })];
  }
  const { window, stride, padding } = attributes;
  const taps = window[0] * window[1];
  const kernel = emit.constant('float64', [1, 1, ...window], new Float64Array(taps).fill(1 / taps));
  const [y] = lowerConvolutionPlain(emit, {
    inputs: [emit.node('Reshape', [call.inputs[0], emit.ints(planes(x.shape))]), kernel],
    inputTypes: [
      { dtype: x.dtype, shape: planes(x.shape) },
      { dtype: x.dtype, shape: [1, 1, ...window] },
    ],
    outputTypes: [{ dtype: x.dtype, shape: planes(outputTypes[0].shape) }],
    attributes: { stride, padding, ...dense },
  });
  return [emit.node('Reshape', [y, emit.ints(outputTypes[0].shape)])];
}

/** Width of a strip of window rows up to which its product with a matrix is faster than `AveragePool`. */
const widestStrip = 64;

/** Windows that tile the input: strips of as many rows as a window has, times a constant matrix. */
function lowerAverageByProduct(emit: Emitter, call: LoweringCall<PoolingAttributes>): string[] {
  const [height, width] = call.attributes.window;
  const [{ shape }] = call.inputTypes;
  const [, , , columns] = call.outputTypes[0].shape;
  const strip = height * shape[3];
  const weights = new Float32Array(strip * columns);
  for (let i = 0; i < strip; i++) weights[i * columns + Math.floor((i % shape[3]) / width)] = 1 / (height * width);
  const strips = emit.node('Reshape', [call.inputs[0], emit.ints([elementCount(shape) / strip, strip])]);
  const means = emit.node('MatMul', [strips, emit.constant('float32', [strip, columns], weights)]);
  return [emit.node('Reshape', [means, emit.ints(call.outputTypes[0].shape)])];
}

function lowerAverageCpu(emit: Emitter, call: LoweringCall<PoolingAttributes>): string[] {
  const [{ dtype, shape }] = call.inputTypes;
  const narrow = call.attributes.window[0] * shape[3] <= widestStrip;
  return dtype === 'float32' && narrow && tiles(shape, call.attributes)
    ? lowerAverageByProduct(emit, call)
    : lowerAverage(emit, call);
}

/** Windows that tile the input: each element is seen once. */
function tiles(x: Shape, { window, stride, padding }: PoolingAttributes): boolean {
  return (
    [0, 1].every((axis) => window[axis] === stride[axis] && x[2 + axis] % stride[axis] === 0) &&
    padding.every((n) => n === 0)
  );
}

/** Mean over windows; zeros of the padding count. */
export const averagePool2dPrimitive: Primitive<PoolingAttributes> = {
  name: 'averagePool2d',
  outputTypes: ([x], attributes) => [pooledType(x, attributes, 'averagePool2d')],
  gradient({ inputs: [x], outputs: [y], attributes }, [cotangent], ops) {
    const d = cotangent as Tensor;
    const { window, stride, padding } = attributes;
    const share = 1 / (window[0] * window[1]);
    // Attributes are lists of the lengths that the options' tuples name.
    if (tiles(x.shape, attributes))
      return [ops.resizeNearest(ops.multiply(d, share), { scale: window as [number, number] })];
    const kernel = constantTensor(new Float64Array(window[0] * window[1]).fill(share), [1, 1, ...window], x.dtype);
    const spread = ops.convTranspose2d(ops.reshape(d, planes(y.shape)), kernel, {
      stride: stride as [number, number],
      padding: padding as [number, number, number, number],
      size: [x.shape[2], x.shape[3]],
    });
    return [ops.reshape(spread, x.shape)];
  },
  lowering: { default: lowerAverage, cpu: lowerAverageCpu },
  reference([x], attributes, [{ shape }]) {
    const y = new Float64Array(elementCount(shape));
    const share = 1 / (attributes.window[0] * attributes.window[1]);
    forEachSeen(x.shape, shape, attributes, (from, to) => {
      y[to] += share * x.data[from];
    });
    return [y];
  },
  examples: [
    { inputs: [{ shape: [2, 3, 4, 6] }], attributes: { window: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0] } },
    { inputs: [{ shape: [2, 2, 5, 6] }], attributes: { window: [3, 2], stride: [2, 1], padding: [1, 1, 0, 1] } },
  ],
  counterexamples: [
    {
      inputs: [{ dtype: 'float32', shape: [2, 3, 4] }],
      attributes: { window: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0] },
      message: /4 axes/,
    },
    {
      inputs: [{ dtype: 'float32', shape: [2, 3, 4, 4] }],
      attributes: { window: [2, 2], stride: [2, 2], padding: [2, 0, 0, 0] },
      message: /paddings below the window/,
    },
  ],
};

/** Maximum over windows, and which element of the flattened x it is (int64; of equal ones the first). */
export const maxPool2dPrimitive: Primitive<PoolingAttributes> = {
  name: 'maxPool2d',
  outputTypes([x], attributes) {
    const type = pooledType(x, attributes, 'maxPool2d');
    return [type, { dtype: 'int64', shape: type.shape }];
  },
  gradient({ inputs: [x], outputs: [, indices] }, [d], ops) {
    if (d === null) return [null];
    const flat = ops.scatterAlong(ops.reshape(d, [-1]), ops.reshape(indices, [-1]), {
      axis: 0,
      size: elementCount(x.shape),
    });
    return [ops.reshape(flat, x.shape)];
  },
  lowering: {
    default: (emit, { inputs, attributes }) =>
      emit.nodes('MaxPool', inputs, { attributes: onnxAttributes(attributes), outputs: 2 }),
  },
  reference([x], attributes, [{ shape }]) {
    const y = new Float64Array(elementCount(shape)).fill(-Infinity);
    const indices = y.slice();
    forEachSeen(x.shape, shape, attributes, (from, to) => {
      if (x.data[from] <= y[to]) return;
      y[to] = x.data[from];
      indices[to] = from;
    });
    return [y, indices];
  },
  examples: [
    {
      inputs: [{ shape: [2, 3, 4, 6], distinct: true }],
      attributes: { window: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0] },
    },
    {
      inputs: [{ shape: [2, 2, 5, 6], distinct: true }],
      attributes: { window: [3, 2], stride: [2, 1], padding: [1, 1, 0, 1] },
    },
  ],
  counterexamples: [
    {
      inputs: [{ dtype: 'float32', shape: [2, 3, 2, 4] }],
      attributes: { window: [3, 3], stride: [1, 1], padding: [0, 0, 0, 0] },
      message: /window that fits/,
    },
  ],
};

export interface PoolingOptions {
  /** Height and width of the window. */
  readonly window: Pair;
  /** Default: the window. */
  readonly stride?: Pair;
  /** Default 0. */
  readonly padding?: Padding;
}

function poolingAttributes(x: Tensor, { window, stride = window, padding = 0 }: PoolingOptions): PoolingAttributes {
  const steps = { window: pair(window), stride: pair(stride) };
  return { ...steps, padding: fullPadding(padding, x.shape.slice(2), steps) };
}

/**
 * Mean over windows; zeros of the padding count.
 * @param x  float [batch, channels, height, width].
 */
export function averagePool2d(x: Tensor, options: PoolingOptions): Tensor {
  return applyPrimitive(averagePool2dPrimitive, [x], poolingAttributes(x, options))[0];
}

/**
 * Maximum over windows; of equal elements the first receives the gradient.
 * @param x  float [batch, channels, height, width].
 */
export function maxPool2d(x: Tensor, options: PoolingOptions): Tensor {
  return applyPrimitive(maxPool2dPrimitive, [x], poolingAttributes(x, options))[0];
}
