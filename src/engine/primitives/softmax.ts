/** Softmax over the last axis. */
import type { None, Primitive } from '../primitive.ts';
import { normalizeAxis } from '../shape.ts';
import { applyPrimitive, FLOATS, requireSameDtype, type Tensor } from '../tensor.ts';
import { subtract } from './arithmetic.ts';
import { throughFloat32 } from './float16.ts';
import { logSumExp } from './reduction.ts';
import { transpose } from './shape.ts';

export const softmaxPrimitive: Primitive<None> = throughFloat32({
  name: 'softmax',
  outputTypes: ([x]) => {
    normalizeAxis(-1, x.shape.length, 'engine softmax');
    return [{ dtype: requireSameDtype([x], 'engine softmax', FLOATS), shape: x.shape }];
  },
  // dx = y (d - sum(d y)).
  gradient({ outputs: [y] }, [cotangent], { multiply, reduceSum, subtract }) {
    const d = cotangent as Tensor;
    // In this order the runtime may write over d twice, and needs memory for one product only.
    const mean = reduceSum(multiply(d, y), { axes: [-1], keepDims: true });
    return [multiply(subtract(d, mean), y)];
  },
  lowering: { default: (emit, { inputs }) => [emit.node('Softmax', inputs, { attributes: { axis: { int: -1 } } })] },
  reference([x]) {
    const width = x.shape[x.shape.length - 1];
    const result = new Float64Array(x.data.length);
    for (let row = 0; row < x.data.length; row += width) {
      const values = x.data.subarray(row, row + width);
      const shift = values.reduce((best, value) => Math.max(best, value), -Infinity);
      const shares = values.map((value) => Math.exp(value - shift));
      const total = shares.reduce((sum, share) => sum + share, 0);
      result.set(
        shares.map((share) => share / total),
        row,
      );
    }
    return [result];
  },
  examples: [
    { inputs: [{ shape: [3, 5] }], attributes: {} },
    { inputs: [{ shape: [2, 2, 4], range: [-30, 30] }], attributes: {} },
  ],
  counterexamples: [{ inputs: [{ dtype: 'float32', shape: [] }], attributes: {}, message: /`axis`/ }],
});

/** exp(x) divided by its sum over an axis (default the last, which is the fast one). */
export function softmax(x: Tensor, axis = -1): Tensor {
  const rank = x.shape.length;
  const place = normalizeAxis(axis, rank, 'engine softmax');
  if (place === rank - 1) return applyPrimitive(softmaxPrimitive, [x], {})[0];
  const order = x.shape.map((_, i) => (i === place ? rank - 1 : i === rank - 1 ? place : i));
  return transpose(applyPrimitive(softmaxPrimitive, [transpose(x, order)], {})[0], order);
}

/** Logarithm of softmax, without underflow. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return subtract(x, logSumExp(x, { axes: [axis], keepDims: true }));
}
