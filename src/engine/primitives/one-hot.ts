/** Indices as rows of zeros with a single one. */
import { type DType, dtypeFacts } from '../dtype.ts';
import type { Emitter } from '../onnx/lowering.ts';
import type { Primitive } from '../primitive.ts';
import { applyPrimitive, elementsOf, INDICES, requireSameDtype, type Tensor, type TensorType } from '../tensor.ts';

/** ONNX's OneHot puts an index outside [0, depth) somewhere; this comparison gives zeros, and runs everywhere. */
export function emitOneHot(
  emit: Emitter,
  indices: string,
  { shape, dtype }: TensorType,
  options: { depth: number; to: DType },
): string {
  const column = emit.node('Reshape', [indices, emit.ints([...shape, 1])]);
  const candidates = Array.from({ length: options.depth }, (_, i) => i);
  const hits = emit.node('Equal', [column, emit.constant(dtype, [options.depth], elementsOf(dtype, candidates))]);
  return emit.node('Cast', [hits], { attributes: { to: { int: dtypeFacts[options.to].onnxCode } } });
}

type OneHotAttributes = { readonly depth: number; readonly dtype: DType };

export const oneHotPrimitive: Primitive<OneHotAttributes> = {
  name: 'oneHot',
  outputTypes([indices], { depth, dtype }) {
    requireSameDtype([indices], 'engine oneHot', INDICES);
    return [{ dtype, shape: [...indices.shape, depth] }];
  },
  gradient: () => [null],
  lowering: {
    default: (emit, { inputs: [indices], inputTypes: [type], attributes: { depth, dtype } }) => [
      emitOneHot(emit, indices, type, { depth, to: dtype }),
    ],
  },
  reference([indices], { depth }) {
    const result = new Float64Array(indices.data.length * depth);
    for (const [row, index] of indices.data.entries()) if (index >= 0 && index < depth) result[row * depth + index] = 1;
    return [result];
  },
  examples: [
    { inputs: [{ shape: [4], dtype: 'int32', range: [0, 2] }], attributes: { depth: 3, dtype: 'float32' } },
    { inputs: [{ shape: [2, 2], dtype: 'int64', range: [0, 4] }], attributes: { depth: 5, dtype: 'float64' } },
    { inputs: [{ shape: [4], dtype: 'int64', range: [-1, 3] }], attributes: { depth: 3, dtype: 'int64' } },
    { inputs: [{ shape: [4], dtype: 'int32', range: [0, 2] }], attributes: { depth: 3, dtype: 'bool' } },
  ],
  counterexamples: [
    {
      inputs: [{ dtype: 'float32', shape: [4] }],
      attributes: { depth: 3, dtype: 'float32' },
      message: /dtype among int32/,
    },
  ],
};

/** 1 at the index, 0 elsewhere, on a new last axis. An index outside [0, depth) gives zeros. */
export function oneHot(indices: Tensor, depth: number, dtype: DType = 'float32'): Tensor {
  return applyPrimitive(oneHotPrimitive, [indices], { depth, dtype })[0];
}
