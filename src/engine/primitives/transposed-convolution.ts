/** Transposed two-dimensional convolution: the derivative of `conv2d` by its input, and learned upsampling. */
import { ShapeError } from '../../errors.ts';
import type { Emitter, LoweringCall } from '../onnx/lowering.ts';
import type { Primitive } from '../primitive.ts';
import { elementCount, formatShape, type Shape } from '../shape.ts';
import { applyPrimitive, type Tensor } from '../tensor.ts';
import { conv2d, convKernelGradient } from './convolution.ts';
import { isStrideOneTransposed, lowerStrideOneTransposed } from './convolution-cpu.ts';
import {
  type ConvolutionAttributes,
  type ConvolutionOptions,
  checkBias,
  checkConvolution,
  explicitOptions,
  forEachProduct,
  outputSize,
  type Pair,
  pair,
  smallestInput,
} from './convolution-geometry.ts';
import { lowerTransposedPlain } from './convolution-plain.ts';

type TransposedAttributes = ConvolutionAttributes & {
  /** Height and width of the result. */
  readonly size: readonly number[];
};

function checkTransposed(y: Shape, kernel: Shape, attributes: TransposedAttributes): void {
  const { groups, size } = attributes;
  const refuse = (expected: string, got: string): never => {
    throw new ShapeError({ expected, got, where: 'engine convTranspose2d' });
  };
  if (y[1] !== kernel[0] || kernel[0] % groups !== 0)
    refuse(`a kernel [${y[1]}, ...] whose first axis \`groups\` = ${groups} divides`, formatShape(kernel));
  const back = outputSize(size, kernel.slice(2), attributes);
  if (back[0] !== y[2] || back[1] !== y[3] || !size.every((length) => length >= 1))
    refuse(
      `a result of a size that conv2d takes to ${formatShape(y.slice(2))}`,
      `${formatShape(size)}, which it takes to ${formatShape(back)}`,
    );
}

function lowerTransposed(emit: Emitter, call: LoweringCall<TransposedAttributes>): string[] {
  if (call.inputTypes[0].dtype === 'float64') return lowerTransposedPlain(emit, call);
  const { stride, padding, dilation, groups, size } = call.attributes;
  const window = call.inputTypes[1].shape.slice(2);
  const smallest = smallestInput(call.inputTypes[0].shape.slice(2), window, call.attributes);
  const [top, bottom, left, right] = padding;
  const attributes = {
    strides: stride,
    pads: [top, left, bottom, right],
    dilations: dilation,
    group: { int: groups },
    kernel_shape: window,
    output_padding: size.map((length, axis) => length - smallest[axis]),
  };
  return [emit.node('ConvTranspose', call.inputs, { attributes })];
}

const simple: TransposedAttributes = {
  stride: [1, 1],
  padding: [0, 0, 0, 0],
  dilation: [1, 1],
  groups: 1,
  size: [4, 4],
};

/** The transpose of the linear map x -> conv2d(x, kernel), plus a bias. */
export const convTranspose2dPrimitive: Primitive<TransposedAttributes> = {
  name: 'convTranspose2d',
  outputTypes([y, kernel, bias], attributes) {
    checkConvolution(bias === undefined ? [y, kernel] : [y, kernel, bias], attributes, 'convTranspose2d');
    checkTransposed(y.shape, kernel.shape, attributes);
    const channels = kernel.shape[1] * attributes.groups;
    checkBias(bias, channels, 'convTranspose2d');
    return [{ dtype: y.dtype, shape: [y.shape[0], channels, ...attributes.size] }];
  },
  gradient({ inputs: [y, kernel, bias], attributes }, [cotangent], ops) {
    const d = cotangent as Tensor;
    const parts = [
      conv2d(d, kernel, explicitOptions(attributes)),
      convKernelGradient(d, y, [kernel.shape[2], kernel.shape[3]], attributes),
    ];
    return bias === undefined ? parts : [...parts, ops.reduceSum(d, { axes: [0, 2, 3] })];
  },
  lowering: {
    default: lowerTransposed,
    cpu: (emit, call) =>
      call.inputTypes[0].dtype === 'float32' && isStrideOneTransposed(call)
        ? lowerStrideOneTransposed(emit, call)
        : lowerTransposed(emit, call),
  },
  reference([y, kernel, bias], attributes, [{ shape }]) {
    const x = new Float64Array(elementCount(shape));
    forEachProduct({ x: shape, kernel: kernel.shape, y: y.shape }, attributes, (to, tap, from) => {
      x[to] += y.data[from] * kernel.data[tap];
    });
    const area = shape[2] * shape[3];
    return [bias === undefined ? x : x.map((value, i) => value + bias.data[Math.floor(i / area) % shape[1]])];
  },
  examples: [
    {
      inputs: [{ shape: [2, 4, 4, 4] }, { shape: [4, 3, 3, 3] }],
      attributes: { ...simple, padding: [1, 1, 1, 1] },
    },
    {
      inputs: [{ shape: [2, 3, 2, 2] }, { shape: [3, 2, 3, 3] }, { shape: [2] }],
      attributes: { ...simple, stride: [2, 2], padding: [1, 1, 1, 1] },
    },
    {
      inputs: [{ shape: [2, 4, 3, 3] }, { shape: [4, 1, 2, 2] }, { shape: [2] }],
      attributes: { ...simple, groups: 2 },
    },
    {
      inputs: [{ shape: [1, 2, 4, 2] }, { shape: [2, 2, 3, 2] }],
      attributes: { ...simple, stride: [1, 2], dilation: [2, 3], padding: [1, 0, 0, 1], size: [7, 6] },
    },
    { inputs: [{ shape: [2, 3, 4, 4] }, { shape: [3, 2, 1, 1] }], attributes: simple },
  ],
  counterexamples: [
    {
      inputs: [
        { dtype: 'float32', shape: [2, 3, 2, 2] },
        { dtype: 'float32', shape: [4, 2, 3, 3] },
      ],
      attributes: simple,
      message: /kernel \[3, \.\.\.\]/,
    },
    {
      inputs: [
        { dtype: 'float32', shape: [2, 3, 2, 2] },
        { dtype: 'float32', shape: [3, 2, 3, 3] },
      ],
      attributes: { ...simple, size: [5, 5] },
      message: /takes to \[2, 2\]; got \[5, 5\], which it takes to \[3, 3\]/,
    },
  ],
};

export interface ConvTranspose2dOptions extends Omit<ConvolutionOptions, 'padding'> {
  /** What `conv2d` in the other direction would pad: a number, or [top, bottom, left, right]. Default 0. */
  readonly padding?: number | readonly [number, number, number, number];
  /** Rows and columns added at the end, fewer than the stride: sizes between which `conv2d` rounds. Default 0. */
  readonly outputPadding?: Pair;
  /** Height and width of the result, in place of `outputPadding`. */
  readonly size?: readonly [number, number];
  /** Added to each output channel, [out]. */
  readonly bias?: Tensor | null;
}

/**
 * Transposed convolution: <convTranspose2d(y, kernel), x> = <y, conv2d(x, kernel)> for the same options.
 * @param y  float [batch, in, height, width].
 * @param kernel  float [in, out / groups, kernelHeight, kernelWidth].
 * @returns float [batch, out, (height - 1) stride - paddings + kernelHeight + outputPadding, likewise the width].
 * @throws ShapeError if channels, groups or sizes do not fit.
 */
export function convTranspose2d(y: Tensor, kernel: Tensor, options: ConvTranspose2dOptions = {}): Tensor {
  const { stride = 1, padding = 0, dilation = 1, groups = 1, outputPadding = 0, bias } = options;
  const attributes = {
    stride: pair(stride),
    padding: typeof padding === 'number' ? [padding, padding, padding, padding] : [...padding],
    dilation: pair(dilation),
    groups,
  };
  const smallest = smallestInput(y.shape.slice(2), kernel.shape.slice(2), attributes);
  const size = options.size ?? smallest.map((length, axis) => length + pair(outputPadding)[axis]);
  return applyPrimitive(convTranspose2dPrimitive, bias ? [y, kernel, bias] : [y, kernel], { ...attributes, size })[0];
}
