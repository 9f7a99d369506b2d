/** Two-dimensional convolution, and its derivative by the kernel. */
import { ShapeError } from '../../errors.ts';
import type { Emitter, LoweringCall } from '../onnx/lowering.ts';
import type { Primitive } from '../primitive.ts';
import { elementCount, formatShape, sameShape } from '../shape.ts';
import { applyPrimitive, type Tensor } from '../tensor.ts';
import { blockFor, lowerConvolutionBlocked, usesOf } from './convolution-blocked.ts';
import { lowerKernelGradientCpu } from './convolution-cpu.ts';
import {
  type ConvolutionAttributes,
  type ConvolutionOptions,
  checkBias,
  checkConvolution,
  convolutionAttributes,
  convolvedShape,
  explicitOptions,
  forEachProduct,
} from './convolution-geometry.ts';
import { lowerConvolutionPlain, lowerKernelGradientPlain } from './convolution-plain.ts';

const simple: ConvolutionAttributes = { stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], groups: 1 };

function lowerConvolution(emit: Emitter, call: LoweringCall<ConvolutionAttributes>): string[] {
  const [{ dtype }] = call.inputTypes;
  if (dtype === 'float64') return lowerConvolutionPlain(emit, call);
  const { stride, padding, dilation, groups } = call.attributes;
  const isBlocked = dtype === 'float32' && groups === 1;
  const block = isBlocked ? blockFor(emit, call.inputTypes[1].shape, usesOf(call.outputTypes[0])) : null;
  if (block !== null) return lowerConvolutionBlocked(emit, call, block);
  const [top, bottom, left, right] = padding;
  const attributes = {
    strides: stride,
    pads: [top, left, bottom, right],
    dilations: dilation,
    group: { int: groups },
    kernel_shape: call.inputTypes[1].shape.slice(2),
  };
  return [emit.node('Conv', call.inputs, { attributes })];
}

/** y[n, k, p] = bias[k] + sum over c and taps t of kernel[k, c, t] x[n, c, stride p + dilation t - padding]. */
export const conv2dPrimitive: Primitive<ConvolutionAttributes> = {
  name: 'conv2d',
  outputTypes([x, kernel, bias], attributes) {
    checkConvolution(bias === undefined ? [x, kernel] : [x, kernel, bias], attributes, 'conv2d');
    checkBias(bias, kernel.shape[0], 'conv2d');
    return [{ dtype: x.dtype, shape: convolvedShape(x.shape, kernel.shape, attributes, 'conv2d') }];
  },
  gradient({ inputs: [x, kernel, bias], attributes }, [cotangent], ops) {
    const d = cotangent as Tensor;
    const parts = [
      ops.convTranspose2d(d, kernel, { ...explicitOptions(attributes), size: [x.shape[2], x.shape[3]] }),
      convKernelGradient(x, d, [kernel.shape[2], kernel.shape[3]], attributes),
    ];
    return bias === undefined ? parts : [...parts, ops.reduceSum(d, { axes: [0, 2, 3] })];
  },
  lowering: { default: lowerConvolution },
  reference([x, kernel, bias], attributes, [{ shape }]) {
    const y = new Float64Array(elementCount(shape));
    forEachProduct({ x: x.shape, kernel: kernel.shape, y: shape }, attributes, (from, tap, to) => {
      y[to] += x.data[from] * kernel.data[tap];
    });
    const area = shape[2] * shape[3];
    return [bias === undefined ? y : y.map((value, i) => value + bias.data[Math.floor(i / area) % shape[1]])];
  },
  examples: [
    { inputs: [{ shape: [2, 3, 5, 4] }, { shape: [4, 3, 3, 3] }], attributes: { ...simple, padding: [1, 1, 1, 1] } },
    { inputs: [{ shape: [2, 3, 4, 4] }, { shape: [5, 3, 1, 1] }, { shape: [5] }], attributes: simple },
    {
      inputs: [{ shape: [2, 2, 6, 5] }, { shape: [3, 2, 3, 3] }, { shape: [3] }],
      attributes: { ...simple, stride: [2, 2], padding: [1, 1, 1, 1] },
    },
    {
      inputs: [{ shape: [2, 4, 4, 4] }, { shape: [6, 2, 3, 2] }],
      attributes: { ...simple, groups: 2, padding: [0, 2, 1, 0] },
    },
    {
      inputs: [{ shape: [1, 2, 7, 6] }, { shape: [2, 2, 3, 2] }],
      attributes: { ...simple, stride: [1, 2], dilation: [2, 3], padding: [1, 0, 0, 1] },
    },
    { inputs: [{ shape: [3, 2, 4, 4] }, { shape: [2, 2, 4, 4] }], attributes: { ...simple, stride: [4, 4] } },
  ],
  counterexamples: [
    {
      inputs: [
        { dtype: 'float32', shape: [2, 3, 4, 4] },
        { dtype: 'float32', shape: [4, 2, 3, 3] },
      ],
      attributes: simple,
      message: /kernel \[out, 3 \/ groups/,
    },
    {
      inputs: [
        { dtype: 'float32', shape: [2, 3, 2, 4] },
        { dtype: 'float32', shape: [4, 3, 3, 3] },
      ],
      attributes: simple,
      message: /not smaller than the kernel/,
    },
    {
      inputs: [
        { dtype: 'float32', shape: [2, 3, 4, 4] },
        { dtype: 'float32', shape: [4, 3, 3, 3] },
        { dtype: 'float32', shape: [3] },
      ],
      attributes: simple,
      message: /`bias` to be \[4\]/,
    },
    {
      inputs: [
        { dtype: 'float32', shape: [3, 4, 4] },
        { dtype: 'float32', shape: [4, 3, 3, 3] },
      ],
      attributes: simple,
      message: /4 axes/,
    },
    {
      inputs: [
        { dtype: 'float32', shape: [2, 3, 4, 4] },
        { dtype: 'float32', shape: [4, 3, 3, 3] },
      ],
      attributes: { ...simple, stride: [0, 1] },
      message: /`stride` to be integers >= 1/,
    },
  ],
};

type KernelGradientAttributes = ConvolutionAttributes & {
  /** Height and width of the kernel. */
  readonly window: readonly number[];
};

/** Derivative of <d, conv2d(x, kernel)> by the kernel, which is bilinear in x and d. */
export const convKernelGradientPrimitive: Primitive<KernelGradientAttributes> = {
  name: 'convKernelGradient',
  outputTypes([x, d], attributes) {
    checkConvolution([x, d], attributes, 'convKernelGradient');
    const kernel = [d.shape[1], x.shape[1] / attributes.groups, ...attributes.window];
    const wanted = convolvedShape(x.shape, kernel, attributes, 'convKernelGradient');
    if (!sameShape(wanted, d.shape)) {
      throw new ShapeError({
        expected: `the output's cotangent to be ${formatShape(wanted)}`,
        got: formatShape(d.shape),
        where: 'engine convKernelGradient',
      });
    }
    return [{ dtype: x.dtype, shape: kernel }];
  },
  gradient({ inputs: [x, d], attributes }, [cotangent], ops) {
    const kernel = cotangent as Tensor;
    const options = explicitOptions(attributes);
    return [
      ops.convTranspose2d(d, kernel, { ...options, size: [x.shape[2], x.shape[3]] }),
      ops.conv2d(x, kernel, options),
    ];
  },
  lowering: { default: lowerKernelGradientPlain, cpu: lowerKernelGradientCpu },
  reference([x, d], attributes, [{ shape }]) {
    const kernel = new Float64Array(elementCount(shape));
    forEachProduct({ x: x.shape, kernel: shape, y: d.shape }, attributes, (from, tap, to) => {
      kernel[tap] += x.data[from] * d.data[to];
    });
    return [kernel];
  },
  examples: [
    {
      inputs: [{ shape: [2, 3, 5, 4] }, { shape: [2, 4, 5, 4] }],
      attributes: { ...simple, padding: [1, 1, 1, 1], window: [3, 3] },
    },
    { inputs: [{ shape: [2, 3, 4, 4] }, { shape: [2, 5, 4, 4] }], attributes: { ...simple, window: [1, 1] } },
    { inputs: [{ shape: [2, 4, 1, 1] }, { shape: [2, 5, 1, 1] }], attributes: { ...simple, window: [1, 1] } },
    {
      inputs: [{ shape: [2, 3, 5, 4] }, { shape: [2, 2, 6, 5] }],
      attributes: { ...simple, padding: [1, 2, 1, 1], window: [3, 2] },
    },
    {
      inputs: [{ shape: [2, 2, 6, 5] }, { shape: [2, 3, 3, 3] }],
      attributes: { ...simple, stride: [2, 2], padding: [1, 1, 1, 1], window: [3, 3] },
    },
    {
      inputs: [{ shape: [2, 2, 5, 5] }, { shape: [2, 3, 3, 3] }],
      attributes: { ...simple, stride: [2, 2], padding: [1, 1, 1, 1], window: [3, 3] },
    },
    {
      inputs: [{ shape: [2, 4, 6, 5] }, { shape: [2, 6, 3, 3] }],
      attributes: { ...simple, stride: [2, 2], padding: [1, 1, 1, 1], groups: 2, window: [3, 3] },
    },
    {
      inputs: [{ shape: [1, 2, 7, 6] }, { shape: [1, 2, 4, 2] }],
      attributes: { ...simple, stride: [1, 2], dilation: [2, 3], padding: [1, 0, 0, 1], window: [3, 2] },
    },
  ],
  counterexamples: [
    {
      inputs: [
        { dtype: 'float32', shape: [2, 3, 4, 4] },
        { dtype: 'float32', shape: [2, 5, 4, 4] },
      ],
      attributes: { ...simple, window: [3, 3] },
      message: /cotangent to be \[2, 5, 2, 2\]/,
    },
  ],
};

/** Derivative of <d, conv2d(x, kernel)> by a kernel of the given window. */
export function convKernelGradient(
  x: Tensor,
  d: Tensor,
  window: readonly [number, number],
  attributes: ConvolutionAttributes,
): Tensor {
  const { stride, padding, dilation, groups } = attributes;
  return applyPrimitive(convKernelGradientPrimitive, [x, d], { stride, padding, dilation, groups, window })[0];
}

export interface Conv2dOptions extends ConvolutionOptions {
  /** Added to each output channel, [out]. */
  readonly bias?: Tensor | null;
}

/**
 * Convolution (cross-correlation) over height and width.
 * @param x  float [batch, in, height, width].
 * @param kernel  float [out, in / groups, kernelHeight, kernelWidth].
 * @returns float [batch, out, (height + paddings - kernelHeight) / stride + 1 rounded down, likewise the width].
 * @throws ShapeError if channels, groups or sizes do not fit.
 */
export function conv2d(x: Tensor, kernel: Tensor, options: Conv2dOptions = {}): Tensor {
  const attributes = convolutionAttributes(options, x.shape.slice(2), kernel.shape.slice(2));
  const inputs = options.bias ? [x, kernel, options.bias] : [x, kernel];
  return applyPrimitive(conv2dPrimitive, inputs, attributes)[0];
}
