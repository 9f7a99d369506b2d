/**
 * How images come to a network's input size. Frameworks differ here, and a Fréchet distance differs with them [parmar:22], so each way
 * is that of one framework to the last digits. Not the engine's `resizeBilinear`, which never antialiases.
 */
import { cubic, type Kernel, kernelWeights, triangle } from '../../engine/onnx/operators/resize-weights.ts';
import { constantTensor, matmul } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';

/**
 * Ways to resize:
 * - `bilinear`: PyTorch's `F.interpolate(mode='bilinear', antialias=True, align_corners=False)`;
 * - `tf1-bilinear`: TensorFlow 1's `resize_bilinear` as the Inception graph of the original Fréchet Inception distance holds it: output i
 *   reads place i from / to, without half pixels and without antialiasing;
 * - `bicubic`: PyTorch's `F.interpolate(mode='bicubic', antialias=True, align_corners=False)`, whose parameter is a = -1/2, as that of
 *   Pillow (which rounds to 8 bits after each axis; here nothing is rounded or clipped).
 */
export const resizeKinds = ['bilinear', 'tf1-bilinear', 'bicubic'] as const;
export type ResizeKind = (typeof resizeKinds)[number];

/** Kernel around half-pixel centres, as wide as the outputs are apart. Elements outside of the image weigh nothing. */
function antialiased(kernel: Kernel) {
  return (from: number, to: number) => {
    const places = Float64Array.from({ length: to }, (_, i) => ((i + 0.5) * from) / to - 0.5);
    return kernelWeights(places, kernel, { from, stretch: Math.max(from / to, 1), excludeOutside: true });
  };
}

/** TensorFlow's places, in float32 as it computes them; the last element stands for those beyond. */
function cornerBilinear(from: number, to: number): Float64Array {
  const step = Math.fround(from / to);
  const places = Float64Array.from({ length: to }, (_, i) => Math.fround(i * step));
  return kernelWeights(places, triangle, { from, stretch: 1, excludeOutside: false });
}

const weightsOf: { readonly [K in ResizeKind]: (from: number, to: number) => Float64Array } = {
  bilinear: antialiased(triangle),
  'tf1-bilinear': cornerBilinear,
  bicubic: antialiased(cubic(-0.5)),
};

/** Row-major [to, from]: each output of one axis as a weighted sum of its elements; rows add up to 1. */
export function imageResizeWeights(kind: ResizeKind, from: number, to: number): Float64Array {
  return weightsOf[kind](from, to);
}

/**
 * Images of another size, by two products with constant matrices: differentiable, and one image does not depend on others.
 * @param x  float [batch, channels, height, width].
 * @param size  [height, width] wanted; an axis that has its size already is not touched.
 * @returns float [batch, channels, ...size].
 */
export function resizeImages(x: Tensor, kind: ResizeKind, [rows, columns]: readonly [number, number]): Tensor {
  const [, , height, width] = x.shape;
  const matrix = (from: number, to: number) => constantTensor(imageResizeWeights(kind, from, to), [to, from], x.dtype);
  const across = columns === width ? x : matmul(x, matrix(width, columns), { transposeB: true });
  return rows === height ? across : matmul(matrix(height, rows), across);
}
