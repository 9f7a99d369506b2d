/** Normalisation of the last axis with saved statistics. Layer, group and RMS norm are compositions with reshapes and affine maps. */

import { ShapeError } from '../../errors.ts';
import type { Emitter } from '../onnx/lowering.ts';
import type { Primitive } from '../primitive.ts';
import { formatShape, normalizeAxis, sameShape } from '../shape.ts';
import { applyPrimitive, FLOATS, requireSameDtype, type Tensor, type TensorType } from '../tensor.ts';
import { add, multiply } from './arithmetic.ts';
import { reshape } from './shape.ts';

type NormalizeAttributes = {
  /** Added to the variance (mean square), in squared units of x. */
  readonly epsilon: number;
};

function normalizedTypes([x]: readonly TensorType[], where: string, statistics: number): TensorType[] {
  normalizeAxis(-1, x.shape.length, where);
  const dtype = requireSameDtype([x], where, FLOATS);
  const column = { dtype, shape: x.shape.with(-1, 1) };
  return [{ dtype, shape: x.shape }, ...new Array<TensorType>(statistics).fill(column)];
}

function emitMean(emit: Emitter, x: string): string {
  return emit.node('ReduceMean', [x, emit.ints([-1])], { attributes: { keepdims: { int: 1 } } });
}

/** (mean of squares + epsilon)^(-1/2) over the last axis. */
function emitInverseRoot(
  emit: Emitter,
  x: string,
  { dtype, epsilon }: { dtype: TensorType['dtype']; epsilon: number },
): string {
  const power = emit.node('Add', [emitMean(emit, emit.node('Mul', [x, x])), emit.scalar(dtype, epsilon)]);
  return emit.node('Reciprocal', [emit.node('Sqrt', [power])]);
}

/** y = (x - mean) / sqrt(variance + epsilon) over the last axis [ba:16]; also the mean and 1 / sqrt(variance + epsilon). */
export const standardizePrimitive: Primitive<NormalizeAttributes> = {
  name: 'standardize',
  outputTypes: (inputs) => normalizedTypes(inputs, 'engine standardize', 2),
  // With s the inverse deviation and n the width:
  // dx = s (d - mean(d) - y mean(d y)), plus d(mean) / n, minus d(s) s^2 y / n.
  gradient({ inputs: [x], outputs: [y, , inverse] }, [d, dMean, dInverse], { reduceMean, subtract, broadcastTo }) {
    const width = x.shape[x.shape.length - 1];
    const over = { axes: [-1], keepDims: true };
    const parts: Tensor[] = [];
    if (d !== null) {
      const centred = subtract(d, reduceMean(d, over));
      parts.push(multiply(subtract(centred, multiply(y, reduceMean(multiply(d, y), over))), inverse));
    }
    if (dMean !== null) parts.push(broadcastTo(multiply(dMean, 1 / width), x.shape));
    if (dInverse !== null)
      parts.push(multiply(y, multiply(multiply(dInverse, -1 / width), multiply(inverse, inverse))));
    return [parts.reduce((a, b) => add(a, b))];
  },
  lowering: {
    default(emit, { inputs: [x], inputTypes: [{ dtype, shape }], attributes: { epsilon } }) {
      const width = shape[shape.length - 1];
      if (dtype === 'float32') {
        const ones = emit.constant('float32', [width], new Float32Array(width).fill(1));
        return emit.nodes('LayerNormalization', [x, ones], {
          attributes: { axis: { int: -1 }, epsilon: { float: epsilon } },
          outputs: 3,
        });
      }
      const mean = emitMean(emit, x);
      const centred = emit.node('Sub', [x, mean]);
      const inverse = emitInverseRoot(emit, centred, { dtype, epsilon });
      return [emit.node('Mul', [centred, inverse]), mean, inverse];
    },
  },
  reference([x], { epsilon }) {
    const width = x.shape[x.shape.length - 1];
    const means = new Float64Array(x.data.length / width);
    const inverses = means.slice();
    const y = x.data.map((value, i) => {
      const row = Math.floor(i / width);
      if (i % width === 0) {
        const line = x.data.subarray(i, i + width);
        means[row] = line.reduce((sum, v) => sum + v, 0) / width;
        inverses[row] = 1 / Math.sqrt(line.reduce((sum, v) => sum + (v - means[row]) ** 2, 0) / width + epsilon);
      }
      return (value - means[row]) * inverses[row];
    });
    return [y, means, inverses];
  },
  examples: [
    { inputs: [{ shape: [3, 6] }], attributes: { epsilon: 1e-5 } },
    { inputs: [{ shape: [2, 2, 5] }], attributes: { epsilon: 1e-2 } },
  ],
  counterexamples: [{ inputs: [{ dtype: 'float32', shape: [] }], attributes: { epsilon: 1e-5 }, message: /`axis`/ }],
};

/** y = x / sqrt(mean(x^2) + epsilon) over the last axis [zhang:19]; also the inverse root. */
export const rmsScalePrimitive: Primitive<NormalizeAttributes> = {
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
};

export interface AffineOptions {
  /** Factor, [features]; absent means 1. */
  readonly scale?: Tensor | null;
  /** Offset, [features]; absent means 0. */
  readonly bias?: Tensor | null;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/** The factor and the offset, if given, stretched over `positions` axes behind theirs. @throws ShapeError unless they are [features]. */
function affine(
  x: Tensor,
  { scale = null, bias = null }: AffineOptions,
  { features, positions, where }: { readonly features: number; readonly positions: number; readonly where: string },
): Tensor {
  for (const values of [scale, bias]) {
    if (values === null || sameShape(values.shape, [features])) continue;
    throw new ShapeError({
      expected: `\`scale\` and \`bias\` to be [features] = [${features}]`,
      got: formatShape(values.shape),
      where,
    });
  }
  const aligned = (values: Tensor) => reshape(values, [features, ...new Array<number>(positions).fill(1)]);
  const scaled = scale === null ? x : multiply(x, aligned(scale));
  return bias === null ? scaled : add(scaled, aligned(bias));
}

/** One of the normalisations over the last axis, and the affine map. */
function normalizeLast(x: Tensor, primitive: Primitive<NormalizeAttributes>, options: AffineOptions): Tensor {
  const normal = applyPrimitive(primitive, [x], { epsilon: options.epsilon ?? 1e-5 })[0];
  return affine(normal, options, {
    features: x.shape[x.shape.length - 1],
    positions: 0,
    where: `engine ${primitive.name}`,
  });
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

/**
 * x with mean 0 and variance 1 over each group of channels and all positions, before an optional affine map [wu:18].
 * @param x  float [batch, channels, ...positions].
 * @param options.scale  [channels]; `bias` likewise.
 * @throws ShapeError unless `groups` divides the channels, and `scale` and `bias` are [channels].
 */
export function groupNorm(x: Tensor, groups: number, options: AffineOptions = {}): Tensor {
  const [batch, channels, ...positions] = x.shape;
  if (channels % groups !== 0) {
    throw new ShapeError({
      expected: `\`groups\` to divide ${channels} channels`,
      got: `${groups} for ${formatShape(x.shape)}`,
      where: 'engine groupNorm',
    });
  }
  const rows = reshape(x, [batch, groups, -1]);
  const normal = applyPrimitive(standardizePrimitive, [rows], { epsilon: options.epsilon ?? 1e-5 })[0];
  return affine(reshape(normal, x.shape), options, {
    features: channels,
    positions: positions.length,
    where: 'engine groupNorm',
  });
}
