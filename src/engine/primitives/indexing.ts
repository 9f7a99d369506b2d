/** Reading and writing at indices. Indices are int32 or int64, in [0, size); their gradient is none. */
import { ShapeError } from '../../errors.ts';
import type { Primitive } from '../primitive.ts';
import { elementCount, formatShape, normalizeAxis, type Shape, sameShape, stridesOf } from '../shape.ts';
import { applyPrimitive, FLOATS, INDICES, requireSameDtype, type Tensor } from '../tensor.ts';
import { emitOneHot } from './one-hot.ts';
import { dot, forEachIndex } from './reference.ts';

type AxisAttributes = { readonly axis: number };
type ScatterAttributes = { readonly axis: number; readonly size: number };

function gatherShape(x: Shape, indices: Shape, axis: number): number[] {
  return [...x.slice(0, axis), ...indices, ...x.slice(axis + 1)];
}

/** Calls `visit(offset in the gathered tensor, offset in the indexed one)`. */
function eachGathered(
  shape: Shape,
  indices: Float64Array,
  options: { axis: number; rank: number; size: number },
  visit: (from: number, to: number) => void,
) {
  const { axis, rank, size } = options;
  const outer = elementCount(shape.slice(0, axis));
  const inner = elementCount(shape.slice(axis + rank));
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < indices.length; i++) {
      for (let e = 0; e < inner; e++) visit((o * indices.length + i) * inner + e, (o * size + indices[i]) * inner + e);
    }
  }
}

export const gatherPrimitive: Primitive<AxisAttributes> = {
  name: 'gather',
  outputTypes([x, indices], { axis }) {
    requireSameDtype([indices], 'engine gather indices', INDICES);
    return [{ dtype: x.dtype, shape: gatherShape(x.shape, indices.shape, axis) }];
  },
  gradient({ inputs: [x, indices], attributes: { axis } }, [d]) {
    return [scatterAdd(d as Tensor, indices, { axis, size: x.shape[axis] }), null];
  },
  lowering: {
    default: (emit, { inputs, attributes: { axis } }) => [
      emit.node('Gather', inputs, { attributes: { axis: { int: axis } } }),
    ],
  },
  reference([x, indices], { axis }, [type]) {
    const result = new Float64Array(elementCount(type.shape));
    eachGathered(type.shape, indices.data, { axis, rank: indices.shape.length, size: x.shape[axis] }, (from, to) => {
      result[from] = x.data[to];
    });
    return [result];
  },
  examples: [
    { inputs: [{ shape: [5, 3] }, { shape: [4], dtype: 'int32', range: [0, 4] }], attributes: { axis: 0 } },
    { inputs: [{ shape: [2, 5, 3] }, { shape: [2, 2], dtype: 'int64', range: [0, 4] }], attributes: { axis: 1 } },
  ],
  counterexamples: [
    {
      inputs: [
        { dtype: 'float32', shape: [2] },
        { dtype: 'float32', shape: [2] },
      ],
      attributes: { axis: 0 },
      message: /dtype among int32, int64/,
    },
  ],
};

/** Above this size of the indexed axis a one-hot matrix costs more than a sequential scatter. */
const ONE_HOT_LIMIT = 2048;

export const scatterAddPrimitive: Primitive<ScatterAttributes> = {
  name: 'scatterAdd',
  outputTypes([updates, indices], { axis, size }) {
    requireSameDtype([indices], 'engine scatterAdd indices', INDICES);
    const covered = updates.shape.slice(axis, axis + indices.shape.length);
    if (!sameShape(covered, indices.shape)) {
      throw new ShapeError({
        expected: `\`updates\` to have ${formatShape(indices.shape)} at axis ${axis}`,
        got: formatShape(updates.shape),
        where: 'engine scatterAdd',
      });
    }
    const shape = [...updates.shape.slice(0, axis), size, ...updates.shape.slice(axis + indices.shape.length)];
    return [{ dtype: requireSameDtype([updates], 'engine scatterAdd', FLOATS), shape }];
  },
  gradient: ({ inputs: [, indices], attributes: { axis } }, [d]) => [gather(d as Tensor, indices, axis), null],
  lowering: {
    default(
      emit,
      { inputs: [updates, indices], inputTypes: [type, indexType], outputTypes: [result], attributes: { axis, size } },
    ) {
      const count = elementCount(indexType.shape);
      const outer = elementCount(type.shape.slice(0, axis));
      const inner = elementCount(type.shape.slice(axis + indexType.shape.length));
      const rows = emit.node('Reshape', [updates, emit.ints([outer, count, inner])]);
      const flat = emit.node('Reshape', [indices, emit.ints([count])]);
      if (size <= ONE_HOT_LIMIT) {
        const hot = emitOneHot(emit, flat, { dtype: indexType.dtype, shape: [count] }, { depth: size, to: type.dtype });
        const turned = emit.node('Transpose', [hot], { attributes: { perm: [1, 0] } });
        return [emit.node('Reshape', [emit.node('MatMul', [turned, rows]), emit.ints(result.shape)])];
      }
      const spread = emit.node('Expand', [
        emit.node('Reshape', [flat, emit.ints([1, count, 1])]),
        emit.ints([outer, count, inner]),
      ]);
      const zeros = emit.node('Expand', [emit.scalar(type.dtype, 0), emit.ints([outer, size, inner])]);
      const sums = emit.node('ScatterElements', [zeros, spread, rows], {
        attributes: { axis: { int: 1 }, reduction: 'add' },
      });
      return [emit.node('Reshape', [sums, emit.ints(result.shape)])];
    },
  },
  reference([updates, indices], { axis, size }, [type]) {
    const result = new Float64Array(elementCount(type.shape));
    eachGathered(updates.shape, indices.data, { axis, rank: indices.shape.length, size }, (from, to) => {
      result[to] += updates.data[from];
    });
    return [result];
  },
  examples: [
    { inputs: [{ shape: [6, 3] }, { shape: [6], dtype: 'int32', range: [0, 3] }], attributes: { axis: 0, size: 4 } },
    { inputs: [{ shape: [2, 6, 3] }, { shape: [6], dtype: 'int64', range: [0, 3] }], attributes: { axis: 1, size: 4 } },
    { inputs: [{ shape: [8, 2] }, { shape: [8], dtype: 'int64', range: [0, 5] }], attributes: { axis: 0, size: 3000 } },
  ],
  counterexamples: [
    {
      inputs: [
        { dtype: 'float32', shape: [4, 3] },
        { dtype: 'int64', shape: [5] },
      ],
      attributes: { axis: 0, size: 4 },
      message: /to have \[5\] at axis 0/,
    },
  ],
};

/** Calls `visit(offset in the indices, offset in the indexed tensor)` for per-element indices along an axis. */
function eachAlong(
  indices: { readonly shape: Shape; readonly data: Float64Array },
  full: Shape,
  axis: number,
  visit: (from: number, to: number) => void,
) {
  const strides = stridesOf(full);
  forEachIndex(indices.shape, (offset, index) => {
    visit(offset, dot(index, strides) + (indices.data[offset] - index[axis]) * strides[axis]);
  });
}

export const gatherAlongPrimitive: Primitive<AxisAttributes> = {
  name: 'gatherAlong',
  outputTypes([x, indices], { axis }) {
    requireSameDtype([indices], 'engine gatherAlong indices', INDICES);
    if (x.shape.length !== indices.shape.length || x.shape.some((size, i) => i !== axis && size !== indices.shape[i])) {
      throw new ShapeError({
        expected: `\`indices\` to equal ${formatShape(x.shape)} but for axis ${axis}`,
        got: formatShape(indices.shape),
        where: 'engine gatherAlong',
      });
    }
    return [{ dtype: x.dtype, shape: indices.shape }];
  },
  gradient: ({ inputs: [x, indices], attributes: { axis } }, [d]) => [
    scatterAlong(d as Tensor, indices, { axis, size: x.shape[axis] }),
    null,
  ],
  lowering: {
    default: (emit, { inputs, attributes: { axis } }) => [
      emit.node('GatherElements', inputs, { attributes: { axis: { int: axis } } }),
    ],
  },
  reference([x, indices], { axis }) {
    const result = new Float64Array(indices.data.length);
    eachAlong(indices, x.shape, axis, (from, to) => {
      result[from] = x.data[to];
    });
    return [result];
  },
  examples: [
    { inputs: [{ shape: [3, 5] }, { shape: [3, 2], dtype: 'int64', range: [0, 4] }], attributes: { axis: 1 } },
  ],
  counterexamples: [
    {
      inputs: [
        { dtype: 'float32', shape: [3, 5] },
        { dtype: 'int64', shape: [2, 2] },
      ],
      attributes: { axis: 1 },
      message: /but for axis 1/,
    },
  ],
};

export const scatterAlongPrimitive: Primitive<ScatterAttributes> = {
  name: 'scatterAlong',
  outputTypes([updates, indices], { axis, size }) {
    requireSameDtype([indices], 'engine scatterAlong indices', INDICES);
    if (!sameShape(updates.shape, indices.shape)) {
      throw new ShapeError({
        expected: `\`updates\` to have the shape of \`indices\`, ${formatShape(indices.shape)}`,
        got: formatShape(updates.shape),
        where: 'engine scatterAlong',
      });
    }
    return [
      { dtype: requireSameDtype([updates], 'engine scatterAlong', FLOATS), shape: updates.shape.with(axis, size) },
    ];
  },
  gradient: ({ inputs: [, indices], attributes: { axis } }, [d]) => [gatherAlong(d as Tensor, indices, axis), null],
  lowering: {
    default(emit, { inputs: [updates, indices], outputTypes: [{ dtype, shape }], attributes: { axis } }) {
      const zeros = emit.node('Expand', [emit.scalar(dtype, 0), emit.ints(shape)]);
      return [
        emit.node('ScatterElements', [zeros, indices, updates], {
          attributes: { axis: { int: axis }, reduction: 'add' },
        }),
      ];
    },
  },
  reference([updates, indices], { axis }, [type]) {
    const result = new Float64Array(elementCount(type.shape));
    eachAlong(indices, type.shape, axis, (from, to) => {
      result[to] += updates.data[from];
    });
    return [result];
  },
  examples: [
    { inputs: [{ shape: [3, 4] }, { shape: [3, 4], dtype: 'int64', range: [0, 4] }], attributes: { axis: 1, size: 5 } },
  ],
  counterexamples: [
    {
      inputs: [
        { dtype: 'float32', shape: [3, 4] },
        { dtype: 'int64', shape: [3, 5] },
      ],
      attributes: { axis: 1, size: 5 },
      message: /shape of `indices`/,
    },
  ],
};

/** Slices of x at indices along an axis: [...before, ...indices, ...after]. */
export function gather(x: Tensor, indices: Tensor, axis = 0): Tensor {
  return applyPrimitive(gatherPrimitive, [x, indices], {
    axis: normalizeAxis(axis, x.shape.length, 'engine gather'),
  })[0];
}

/** Sums of updates by index: zeros with `size` at the axis, plus each slice of updates at its index. Exact with any thread count. */
export function scatterAdd(
  updates: Tensor,
  indices: Tensor,
  { axis = 0, size }: { readonly axis?: number; readonly size: number },
): Tensor {
  const rank = updates.shape.length - indices.shape.length + 1;
  const place = normalizeAxis(axis, rank, 'engine scatterAdd');
  return applyPrimitive(scatterAddPrimitive, [updates, indices], { axis: place, size })[0];
}

/** Elements of x at indices of its own shape but for one axis. */
export function gatherAlong(x: Tensor, indices: Tensor, axis: number): Tensor {
  return applyPrimitive(gatherAlongPrimitive, [x, indices], {
    axis: normalizeAxis(axis, x.shape.length, 'engine gatherAlong'),
  })[0];
}

/** Zeros with `size` at the axis, plus each update at its index: the transpose of `gatherAlong`. */
export function scatterAlong(
  updates: Tensor,
  indices: Tensor,
  { axis, size }: { readonly axis: number; readonly size: number },
): Tensor {
  const place = normalizeAxis(axis, updates.shape.length, 'engine scatterAlong');
  return applyPrimitive(scatterAlongPrimitive, [updates, indices], { axis: place, size })[0];
}
