/** Attention as one operation, for graphs that are only executed: ONNX Runtime has a kernel that keeps no scores. */
import { ShapeError } from '../../errors.ts';
import type { Emitter, LoweringCall } from '../onnx/lowering.ts';
import type { Operations, Primitive, ReferenceTensor } from '../primitive.ts';
import { formatShape } from '../shape.ts';
import { applyPrimitive, FLOATS, requireSameDtype, type Tensor, type TensorType } from '../tensor.ts';

type AttentionAttributes = {
  /** Factor on the products of queries and keys. */
  readonly scale: number;
};

function outputTypes([query, key, value]: readonly TensorType[]): TensorType[] {
  const dtype = requireSameDtype([query, key, value], 'engine attention', FLOATS);
  const [batch, queries, features] = query.shape;
  const [keys, width] = [key.shape[1], value.shape[2]];
  const fit =
    [query, key, value].every(({ shape }) => shape.length === 3 && shape[0] === batch) &&
    key.shape[2] === features &&
    value.shape[1] === keys;
  if (fit) return [{ dtype, shape: [batch, queries, width] }];
  throw new ShapeError({
    expected: 'queries [batch, queries, features], keys [batch, keys, features] and values [batch, keys, width]',
    got: [query, key, value].map(({ shape }) => formatShape(shape)).join(', '),
    where: 'engine attention',
  });
}

/** The same in other operations. */
function composed([query, key, value]: readonly Tensor[], { scale }: AttentionAttributes, ops: Operations): Tensor {
  return ops.matmul(ops.softmax(ops.matmul(query, key, { transposeB: true, alpha: scale })), value);
}

function lower(emit: Emitter, { inputs, inputTypes, attributes }: LoweringCall<AttentionAttributes>): string[] {
  const [query, key, value] = inputs;
  if (inputTypes[0].dtype === 'float32') {
    return [
      emit.node('MultiHeadAttention', inputs, {
        domain: 'com.microsoft',
        attributes: { num_heads: { int: 1 }, scale: { float: attributes.scale } },
      }),
    ];
  }
  const turned = emit.node('Transpose', [key], { attributes: { perm: [0, 2, 1] } });
  const products = emit.node('MatMul', [query, turned]);
  const scores = emit.node('Mul', [products, emit.scalar(inputTypes[0].dtype, attributes.scale)]);
  return [emit.node('MatMul', [emit.node('Softmax', [scores], { attributes: { axis: { int: -1 } } }), value])];
}

function reference([q, k, v]: readonly ReferenceTensor[], { scale }: AttentionAttributes): Float64Array[] {
  const [batch, queries, features] = q.shape;
  const [keys, width] = v.shape.slice(1);
  const result = new Float64Array(batch * queries * width);
  for (let row = 0; row < batch * queries; row++) {
    const from = Math.floor(row / queries) * keys;
    const scores = Array.from({ length: keys }, (_, key) => {
      let sum = 0;
      for (let i = 0; i < features; i++) sum += q.data[row * features + i] * k.data[(from + key) * features + i];
      return scale * sum;
    });
    const largest = Math.max(...scores);
    const shares = scores.map((score) => Math.exp(score - largest));
    const total = shares.reduce((sum, share) => sum + share, 0);
    for (const [key, share] of shares.entries()) {
      for (let i = 0; i < width; i++) result[row * width + i] += (share / total) * v.data[(from + key) * width + i];
    }
  }
  return [result];
}

const shapes = (batch: number, queries: number, keys: number, features: number, width: number) => [
  { shape: [batch, queries, features] },
  { shape: [batch, keys, features] },
  { shape: [batch, keys, width] },
];

export const attentionPrimitive: Primitive<AttentionAttributes> = {
  name: 'attention',
  outputTypes,
  gradient({ inputs, attributes }, [cotangent], ops) {
    const output = composed(inputs, attributes, ops);
    return ops.vectorJacobianProduct([output], inputs, [cotangent as Tensor]);
  },
  lowering: { default: lower },
  reference,
  examples: [
    { inputs: shapes(2, 3, 3, 4, 4), attributes: { scale: 0.5 } },
    { inputs: shapes(1, 2, 5, 4, 8), attributes: { scale: 1 } },
  ],
  counterexamples: [
    {
      inputs: shapes(2, 3, 3, 4, 4).map(({ shape }, i) => ({ dtype: 'float32', shape: i === 1 ? [2, 3, 5] : shape })),
      attributes: { scale: 1 },
      message: /keys \[batch, keys, features\]/,
    },
    {
      inputs: shapes(2, 3, 3, 4, 4).map(({ shape }, i) => ({ dtype: 'float32', shape: i === 2 ? [3, 4] : shape })),
      attributes: { scale: 1 },
      message: /values \[batch, keys, width\]/,
    },
  ],
};

/**
 * softmax(scale q k^T) v. Source: [vaswani:17, eq. (1)].
 * @param query  float [batch, queries, features].
 * @param key    float [batch, keys, features].
 * @param value  float [batch, keys, width].
 * @returns float [batch, queries, width].
 */
export function attention(query: Tensor, key: Tensor, value: Tensor, scale: number): Tensor {
  return applyPrimitive(attentionPrimitive, [query, key, value], { scale })[0];
}
