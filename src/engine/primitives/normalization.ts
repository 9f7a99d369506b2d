/** Layer norm and RMS norm: normalisation of the last axis, then an affine map. */

import { ShapeError } from '../../errors.ts';
import type { Primitive } from '../primitive.ts';
import { formatShape, sameShape } from '../shape.ts';
import { applyPrimitive, type Tensor } from '../tensor.ts';
import { add, multiply } from './arithmetic.ts';
import { throughFloat32 } from './float16.ts';
import { emitInverseRoot, type NormalizeAttributes, normalizedTypes, standardizePrimitive } from './standardize.ts';

/** y = x / sqrt(mean(x^2) + epsilon) over the last axis [zhang:19]; also the inverse root. */
export const rmsScalePrimitive: Primitive<NormalizeAttributes> = throughFloat32({
  name: 'rmsScale',
  outputTypes: (inputs) => normalizedTypes(inputs, 'engine rmsScale', 1),
  gradient({ inputs: [x], outputs: [y, inverse] }, [d, dInverse], { reduceMean, subtract }) {
    const width = x.shape[x.shape.length - 1];
    const parts: Tensor[] = [];
    if (d !== null) {
      const along = multiply(y, reduceMean(multiply(d, y), { axes: [-1], keepDims: true }));
      parts.push(multiply(subtract(d, along), inverse));
    }
    if (dInverse !== null)
      parts.push(multiply(y, multiply(multiply(dInverse, -1 / width), multiply(inverse, inverse))));
    return [parts.reduce((a, b) => add(a, b))];
  },
  lowering: {
    default(emit, { inputs: [x], inputTypes: [{ dtype }], attributes: { epsilon } }) {
      const inverse = emitInverseRoot(emit, x, { dtype, epsilon });
      return [emit.node('Mul', [x, inverse]), inverse];
    },
  },
  reference([x], { epsilon }) {
    const width = x.shape[x.shape.length - 1];
    const inverses = Float64Array.from({ length: x.data.length / width }, (_, row) => {
      const line = x.data.subarray(row * width, (row + 1) * width);
      return 1 / Math.sqrt(line.reduce((sum, v) => sum + v * v, 0) / width + epsilon);
    });
    return [x.data.map((value, i) => value * inverses[Math.floor(i / width)]), inverses];
  },
  examples: [{ inputs: [{ shape: [3, 6] }], attributes: { epsilon: 1e-5 } }],
  counterexamples: [
    { inputs: [{ dtype: 'int32', shape: [2] }], attributes: { epsilon: 1e-5 }, message: /dtype among/ },
  ],
});

export interface AffineOptions {
  /** Factor, [features]; absent means 1. */
  readonly scale?: Tensor | null;
  /** Offset, [features]; absent means 0. */
  readonly bias?: Tensor | null;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/** One of the normalisations over the last axis, and the affine map. @throws ShapeError unless scale and bias are [features]. */
function normalizeLast(
  x: Tensor,
  primitive: Primitive<NormalizeAttributes>,
  { scale = null, bias = null, epsilon = 1e-5 }: AffineOptions,
): Tensor {
  const features = x.shape[x.shape.length - 1];
  for (const values of [scale, bias]) {
    if (values === null || sameShape(values.shape, [features])) continue;
    throw new ShapeError({
      expected: `\`scale\` and \`bias\` to be [features] = [${features}]`,
      got: formatShape(values.shape),
      where: `engine ${primitive.name}`,
    });
  }
  const normal = applyPrimitive(primitive, [x], { epsilon })[0];
  const scaled = scale === null ? normal : multiply(normal, scale);
  return bias === null ? scaled : add(scaled, bias);
}

/**
 * x with mean 0 and variance 1 over the last axis, before an optional affine map [ba:16].
 * @throws ShapeError unless `scale` and `bias` are [features].
 */
export function layerNorm(x: Tensor, options: AffineOptions = {}): Tensor {
  return normalizeLast(x, standardizePrimitive, options);
}

/**
 * x with mean square 1 over the last axis, before an optional affine map [zhang:19].
 * @throws ShapeError unless `scale` and `bias` are [features].
 */
export function rmsNorm(x: Tensor, options: AffineOptions = {}): Tensor {
  return normalizeLast(x, rmsScalePrimitive, options);
}
