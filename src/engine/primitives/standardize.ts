/** Standardisation of the last axis with saved statistics: what layer norm and group norm share. */
import type { Emitter } from '../onnx/lowering.ts';
import type { Operations, Primitive, ReferenceTensor } from '../primitive.ts';
import { normalizeAxis } from '../shape.ts';
import { FLOATS, requireSameDtype, type Tensor, type TensorType } from '../tensor.ts';
import { add, multiply } from './arithmetic.ts';
import { throughFloat32 } from './float16.ts';

export type NormalizeAttributes = {
  /** Added to the variance (mean square), in squared units of x. */
  readonly epsilon: number;
};

/** Type of x, and of one statistic a row as many times as asked. */
export function normalizedTypes([x]: readonly TensorType[], where: string, statistics: number): TensorType[] {
  normalizeAxis(-1, x.shape.length, where);
  const dtype = requireSameDtype([x], where, FLOATS);
  const column = { dtype, shape: x.shape.with(-1, 1) };
  return [{ dtype, shape: x.shape }, ...new Array<TensorType>(statistics).fill(column)];
}

function emitMean(emit: Emitter, x: string): string {
  return emit.node('ReduceMean', [x, emit.ints([-1])], { attributes: { keepdims: { int: 1 } } });
}

/** (mean of squares + epsilon)^(-1/2) over the last axis. */
export function emitInverseRoot(
  emit: Emitter,
  x: string,
  { dtype, epsilon }: { dtype: TensorType['dtype']; epsilon: number },
): string {
  const power = emit.node('Add', [emitMean(emit, emit.node('Mul', [x, x])), emit.scalar(dtype, epsilon)]);
  return emit.node('Reciprocal', [emit.node('Sqrt', [power])]);
}

/** Names of (x - mean) / sqrt(variance + epsilon), mean and 1 / sqrt(variance + epsilon) over the last axis. */
export function emitStandardize(
  emit: Emitter,
  x: string,
  { dtype, width, epsilon }: { readonly dtype: TensorType['dtype']; readonly width: number; readonly epsilon: number },
): string[] {
  if (dtype === 'float32') {
    // It would merge a sum before the norm with the norm into an operator that is slower than the two.
    emit.keepFrom('SkipLayerNormFusion');
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
}

/** The same three in float64, for rows of `width` elements. */
export function standardizeRows(
  { data }: Pick<ReferenceTensor, 'data'>,
  width: number,
  epsilon: number,
): [Float64Array, Float64Array, Float64Array] {
  const means = new Float64Array(data.length / width);
  const inverses = means.slice();
  const y = data.map((value, i) => {
    const row = Math.floor(i / width);
    if (i % width === 0) {
      const line = data.subarray(i, i + width);
      means[row] = line.reduce((sum, v) => sum + v, 0) / width;
      inverses[row] = 1 / Math.sqrt(line.reduce((sum, v) => sum + (v - means[row]) ** 2, 0) / width + epsilon);
    }
    return (value - means[row]) * inverses[row];
  });
  return [y, means, inverses];
}

/** Saved results of a standardisation. */
export interface Standardized {
  readonly y: Tensor;
  /** 1 / sqrt(variance + epsilon), with the last axis of size 1. */
  readonly inverse: Tensor;
}

/**
 * Cotangent of x from those of y, mean and s = 1 / sqrt(variance + epsilon), with n the width:
 * dx = s (d - mean(d) - y mean(d y)), plus d(mean) / n, minus d(s) s^2 y / n.
 */
export function standardizeGradient(
  { y, inverse }: Standardized,
  [d, dMean, dInverse]: readonly (Tensor | null)[],
  { reduceMean, subtract, broadcastTo }: Operations,
): Tensor {
  const width = y.shape[y.shape.length - 1];
  const over = { axes: [-1], keepDims: true };
  const parts: Tensor[] = [];
  if (d !== null) {
    const centred = subtract(d, reduceMean(d, over));
    parts.push(multiply(subtract(centred, multiply(y, reduceMean(multiply(d, y), over))), inverse));
  }
  if (dMean !== null) parts.push(broadcastTo(multiply(dMean, 1 / width), y.shape));
  if (dInverse !== null) parts.push(multiply(y, multiply(multiply(dInverse, -1 / width), multiply(inverse, inverse))));
  return parts.reduce((a, b) => add(a, b));
}

/** y = (x - mean) / sqrt(variance + epsilon) over the last axis [ba:16]; also the mean and 1 / sqrt(variance + epsilon). */
export const standardizePrimitive: Primitive<NormalizeAttributes> = throughFloat32({
  name: 'standardize',
  outputTypes: (inputs) => normalizedTypes(inputs, 'engine standardize', 2),
  gradient: ({ outputs: [y, , inverse] }, cotangents, ops) => [standardizeGradient({ y, inverse }, cotangents, ops)],
  lowering: {
    default: (emit, { inputs: [x], inputTypes: [{ dtype, shape }], attributes: { epsilon } }) =>
      emitStandardize(emit, x, { dtype, width: shape[shape.length - 1], epsilon }),
  },
  reference: ([x], { epsilon }) => standardizeRows(x, x.shape[x.shape.length - 1], epsilon),
  examples: [
    { inputs: [{ shape: [3, 6] }], attributes: { epsilon: 1e-5 } },
    { inputs: [{ shape: [2, 2, 5] }], attributes: { epsilon: 1e-2 } },
  ],
  counterexamples: [{ inputs: [{ dtype: 'float32', shape: [] }], attributes: { epsilon: 1e-5 }, message: /`axis`/ }],
});
