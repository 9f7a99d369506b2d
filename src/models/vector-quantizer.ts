import {
  add,
  gather,
  matmul,
  multiply,
  reduceMean,
  reduceSum,
  reshape,
  stopGradient,
  subtract,
  topK,
  transpose,
} from '../engine/ops.ts';
import { formatShape } from '../engine/shape.ts';
import type { Tensor } from '../engine/tensor.ts';
import { ConfigError, ShapeError } from '../errors.ts';
import { type ParameterSpec, parameter, uniform } from './parameters.ts';

export interface VectorQuantizerOptions {
  /** Number of code vectors. */
  readonly codes: number;
  /** Numbers in a code vector, and channels of the maps to quantise. */
  readonly channels: number;
  /** Factor of the commitment loss, beta in the paper. */
  readonly commitment: number;
}

export interface Quantized {
  /** The nearest code of every position, [batch, channels, height, width]; its gradient goes to the input unchanged. */
  readonly quantized: Tensor;
  /** Which code, int64 [batch, height, width] in [0, codes). */
  readonly indices: Tensor;
  /** Mean squared distance of codes and input, drawing the codes to the input; per element, [batch]. */
  readonly codebookLoss: Tensor;
  /** The same distance, drawing the input to the codes; not multiplied by `commitment`, [batch]. */
  readonly commitmentLoss: Tensor;
  /** codebookLoss + commitment · commitmentLoss, [batch]. */
  readonly loss: Tensor;
}

/** A codebook and what is done with it. Its parameter is the tensor [codes, channels], starting uniform in ±1 / codes. */
export interface VectorQuantizer {
  readonly parameters: ParameterSpec;
  /**
   * @param x  float [batch, channels, height, width].
   * @throws ShapeError if x has other axes or channels.
   */
  quantize(codebook: Tensor, x: Tensor): Quantized;
  /** Code vectors of indices, int [batch, height, width] to [batch, channels, height, width]. */
  vectors(codebook: Tensor, indices: Tensor): Tensor;
}

const toLast = [0, 2, 3, 1];
const toFirst = [0, 3, 1, 2];

/**
 * Index of the code with the smallest squared distance, for rows [count, channels]: int64 [count, 1]. |z|^2 is the same for all codes
 * and left out: beside it, the differences between small codes would be lost to rounding. The products, [count, codes] floats, are
 * what quantising needs in memory.
 */
function nearestCodes(codebook: Tensor, rows: Tensor): Tensor {
  const lengths = reduceSum(multiply(codebook, codebook), { axes: [1] });
  const distances = add(matmul(rows, codebook, { transposeB: true, alpha: -2 }), lengths);
  return topK(distances, 1, { largest: false }).indices;
}

/**
 * Quantisation of [oord:17], eqs. (1) to (3): every position of a map becomes the nearest code, gradients pass straight through, and
 * loss = |sg(z) - e|^2 + commitment |z - sg(e)|^2 as means over a sample's elements. The published code of [esser:21] can put the
 * factor on the first term instead; this is the paper's.
 * Fails when: two codes lie nearer to each other than float32 resolves their squared lengths, where either may win.
 * @throws ConfigError if a size is not a positive integer or the factor is negative.
 */
export function vectorQuantizer({ codes, channels, commitment }: VectorQuantizerOptions): VectorQuantizer {
  if (![codes, channels].every((size) => Number.isInteger(size) && size > 0) || !(commitment >= 0)) {
    throw new ConfigError({
      expected: '`codes` and `channels` to be integers >= 1 and `commitment` a number >= 0',
      got: `${codes}, ${channels} and ${commitment}`,
      where: 'models/vector-quantizer',
    });
  }
  const vectors = (codebook: Tensor, indices: Tensor) => transpose(gather(codebook, indices), toFirst);
  return {
    parameters: parameter([codes, channels], uniform(1 / codes)),
    vectors,
    quantize(codebook, x) {
      const [batch, given, height, width] = x.shape;
      if (x.shape.length !== 4 || given !== channels) {
        const expected = `\`x\` to be [batch, ${channels}, height, width]`;
        throw new ShapeError({ expected, got: formatShape(x.shape), where: 'models/vector-quantizer' });
      }
      const rows = reshape(transpose(stopGradient(x), toLast), [-1, channels]);
      const indices = reshape(nearestCodes(stopGradient(codebook), rows), [batch, height, width]);
      const nearest = vectors(codebook, indices);
      const still = stopGradient(nearest);
      const codebookLoss = meanSquare(subtract(nearest, stopGradient(x)));
      const commitmentLoss = meanSquare(subtract(x, still));
      return {
        // x - sg(x) is exactly zero, so that the value is exactly the code.
        quantized: add(still, subtract(x, stopGradient(x))),
        indices,
        codebookLoss,
        commitmentLoss,
        loss: add(codebookLoss, multiply(commitmentLoss, commitment)),
      };
    },
  };
}

/** Mean of squares over a sample's elements, [batch]. */
function meanSquare(x: Tensor): Tensor {
  return reduceMean(multiply(x, x), { axes: [1, 2, 3] });
}
