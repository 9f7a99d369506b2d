/** The largest or smallest elements of the last axis. */
import { ShapeError } from '../../errors.ts';
import type { Primitive } from '../primitive.ts';
import { normalizeAxis } from '../shape.ts';
import { applyPrimitive, FLOATS, requireSameDtype, type Tensor } from '../tensor.ts';

type TopKAttributes = { readonly k: number; readonly largest: boolean };

export const topKPrimitive: Primitive<TopKAttributes> = {
  name: 'topK',
  outputTypes([x], { k }) {
    const axis = normalizeAxis(-1, x.shape.length, 'engine topK');
    if (!(Number.isInteger(k) && k >= 1 && k <= x.shape[axis])) {
      throw new ShapeError({
        expected: `\`k\` to be an integer in [1, ${x.shape[axis]}]`,
        got: `${k}`,
        where: 'engine topK',
      });
    }
    const shape = x.shape.with(axis, k);
    return [
      { dtype: requireSameDtype([x], 'engine topK', FLOATS), shape },
      { dtype: 'int64', shape },
    ];
  },
  gradient({ inputs: [x], outputs: [, indices] }, [d], { scatterAlong }) {
    const axis = x.shape.length - 1;
    return [d === null ? null : scatterAlong(d, indices, { axis, size: x.shape[axis] })];
  },
  lowering: {
    default: (emit, { inputs: [x], attributes: { k, largest } }) =>
      emit.nodes('TopK', [x, emit.ints([k])], {
        attributes: { axis: { int: -1 }, largest: { int: Number(largest) }, sorted: { int: 1 } },
        outputs: 2,
      }),
  },
  reference([x], { k, largest }) {
    const width = x.shape[x.shape.length - 1];
    const rows = x.data.length / width;
    const values = new Float64Array(rows * k);
    const indices = new Float64Array(rows * k);
    for (let row = 0; row < rows; row++) {
      const line = x.data.subarray(row * width, (row + 1) * width);
      const order = Array.from(line, (_, i) => i).sort(
        (a, b) => (largest ? line[b] - line[a] : line[a] - line[b]) || a - b,
      );
      for (let i = 0; i < k; i++) {
        values[row * k + i] = line[order[i]];
        indices[row * k + i] = order[i];
      }
    }
    return [values, indices];
  },
  examples: [
    { inputs: [{ shape: [3, 6], distinct: true }], attributes: { k: 2, largest: true } },
    { inputs: [{ shape: [6], distinct: true }], attributes: { k: 1, largest: false } },
  ],
  counterexamples: [
    {
      inputs: [{ dtype: 'float32', shape: [3] }],
      attributes: { k: 4, largest: true },
      message: /`k` to be an integer in \[1, 3\]/,
    },
  ],
};

/** The k largest (or smallest) elements of the last axis in order, and their indices (int64). */
export function topK(
  x: Tensor,
  k: number,
  { largest = true }: { readonly largest?: boolean } = {},
): { readonly values: Tensor; readonly indices: Tensor } {
  const [values, indices] = applyPrimitive(topKPrimitive, [x], { k, largest });
  return { values, indices };
}
