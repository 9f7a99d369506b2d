/** Pictures at another size: linear maps of height and width. Pixels are squares, so that coordinates are half-integers. */
import { ShapeError } from '../../errors.ts';
import type { Primitive } from '../primitive.ts';
import { elementCount, formatShape } from '../shape.ts';
import { applyPrimitive, FLOATS, requireSameDtype, type Tensor } from '../tensor.ts';
import { multiply } from './arithmetic.ts';
import { constantTensor } from './constant.ts';
import { type Pair, pair } from './convolution-geometry.ts';
import { matmul } from './matmul.ts';
import { averagePool2d } from './pooling.ts';
import { forEachIndex } from './reference.ts';

type RepeatAttributes = {
  /** How often each pixel stands, [vertically, horizontally]. */
  readonly factor: readonly number[];
};

/** Every pixel repeated into a rectangle, [batch, channels, height * factor, width * factor]. */
export const repeatPixelsPrimitive: Primitive<RepeatAttributes> = {
  name: 'repeatPixels',
  outputTypes([x], { factor }) {
    const dtype = requireSameDtype([x], 'engine repeatPixels', FLOATS);
    if (x.shape.length !== 4 || !factor.every((n) => Number.isInteger(n) && n >= 1)) {
      throw new ShapeError({
        expected: 'an operand with 4 axes and factors >= 1',
        got: `${formatShape(x.shape)} and ${formatShape(factor)}`,
        where: 'engine repeatPixels',
      });
    }
    const [batch, channels, height, width] = x.shape;
    return [{ dtype, shape: [batch, channels, height * factor[0], width * factor[1]] }];
  },
  gradient({ attributes: { factor } }, [d]) {
    const [down, across] = factor;
    return [multiply(averagePool2d(d as Tensor, { window: [down, across] }), down * across)];
  },
  lowering: {
    default(emit, { inputs: [x], inputTypes: [{ dtype, shape }], outputTypes: [type], attributes: { factor } }) {
      if (dtype !== 'float64') {
        // On the CPU ten times as fast as Expand, which repeats single elements, and three times as a product and Concat.
        const attributes = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
        return [emit.node('Resize', [x, '', '', emit.ints(type.shape)], { attributes })];
      }
      const [batch, channels, height, width] = shape;
      const cells = emit.node('Reshape', [x, emit.ints([batch * channels, height, 1, width, 1])]);
      const full = emit.ints([batch * channels, height, factor[0], width, factor[1]]);
      return [emit.node('Reshape', [emit.node('Expand', [cells, full]), emit.ints(type.shape)])];
    },
  },
  reference([x], { factor }, [{ shape }]) {
    const y = new Float64Array(elementCount(shape));
    const [, channels, height, width] = x.shape;
    forEachIndex(shape, (offset, [sample, channel, row, column]) => {
      const plane = sample * channels + channel;
      y[offset] = x.data[(plane * height + Math.floor(row / factor[0])) * width + Math.floor(column / factor[1])];
    });
    return [y];
  },
  examples: [
    { inputs: [{ shape: [2, 3, 2, 3] }], attributes: { factor: [2, 2] } },
    { inputs: [{ shape: [1, 2, 3, 2] }], attributes: { factor: [1, 3] } },
  ],
  counterexamples: [
    { inputs: [{ dtype: 'float32', shape: [2, 3] }], attributes: { factor: [2, 2] }, message: /4 axes/ },
    { inputs: [{ dtype: 'float32', shape: [2, 3, 4, 4] }], attributes: { factor: [2, 0.5] }, message: /factors >= 1/ },
  ],
};

/** The size wanted, or factors on the size. */
export type ResizeOptions = { readonly size: readonly [number, number] } | { readonly scale: Pair };

function targetSize(x: Tensor, options: ResizeOptions, where: string): readonly [number, number] {
  if (x.shape.length !== 4)
    throw new ShapeError({ expected: 'an operand with 4 axes', got: formatShape(x.shape), where: `engine ${where}` });
  const [, , height, width] = x.shape;
  const size: readonly [number, number] =
    'size' in options ? options.size : [height * pair(options.scale)[0], width * pair(options.scale)[1]];
  if (!size.every((length) => Number.isInteger(length) && length >= 1)) {
    throw new ShapeError({
      expected: 'a size of integers >= 1',
      got: `${formatShape(size)} from ${formatShape(x.shape)}`,
      where: `engine ${where}`,
      remedy: '`size` in place of `scale`',
    });
  }
  return size;
}

/** Row-major [to, from]: row i holds the weights with which output i reads the inputs. */
type Weights = (from: number, to: number) => Float64Array;

function nearestWeights(from: number, to: number): Float64Array {
  const weights = new Float64Array(from * to);
  for (let i = 0; i < to; i++) weights[i * from + Math.min(Math.floor(((i + 0.5) * from) / to), from - 1)] = 1;
  return weights;
}

function linearWeights(from: number, to: number): Float64Array {
  const weights = new Float64Array(from * to);
  for (let i = 0; i < to; i++) {
    const place = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    const low = Math.min(Math.floor(place), from - 1);
    const high = Math.min(low + 1, from - 1);
    weights[i * from + low] += 1 - (place - low);
    weights[i * from + high] += place - low;
  }
  return weights;
}

/** Two products with constant matrices: columns first, then rows. */
function resizeByProducts(x: Tensor, [rows, columns]: readonly [number, number], weights: Weights): Tensor {
  const [, , height, width] = x.shape;
  const across =
    columns === width
      ? x
      : matmul(x, constantTensor(weights(width, columns), [columns, width], x.dtype), { transposeB: true });
  return rows === height ? across : matmul(constantTensor(weights(height, rows), [rows, height], x.dtype), across);
}

/**
 * Each pixel takes the value of the nearest pixel of x: coordinate (i + 1/2) from / to, rounded down.
 * @param x  float [batch, channels, height, width].
 * @throws ShapeError if the size is not whole.
 */
export function resizeNearest(x: Tensor, options: ResizeOptions): Tensor {
  const size = targetSize(x, options, 'resizeNearest');
  const factor = size.map((length, axis) => length / x.shape[2 + axis]);
  if (factor.every((n) => n === 1)) return x;
  if (factor.every(Number.isInteger)) return applyPrimitive(repeatPixelsPrimitive, [x], { factor })[0];
  return resizeByProducts(x, size, nearestWeights);
}

/**
 * Each pixel takes the linear interpolation of the pixels around (i + 1/2) from / to - 1/2, limited to the picture. No antialiasing.
 * @param x  float [batch, channels, height, width].
 * @throws ShapeError if the size is not whole.
 */
export function resizeBilinear(x: Tensor, options: ResizeOptions): Tensor {
  return resizeByProducts(x, targetSize(x, options, 'resizeBilinear'), linearWeights);
}
