/** Matrix products. */
import * as o from '../../ops.ts';
import type { Tensor } from '../../tensor.ts';
import { type NodeCall, type Operators, operand, optionalOperand } from '../operator.ts';
import { einsum } from './einsum.ts';
import { onFloats } from './numbers.ts';

/** NumPy's product: a vector on the left is a row, one on the right a column, and its axis vanishes. */
function matmul(a: Tensor, b: Tensor, options: o.MatmulOptions = {}): Tensor {
  const left = a.shape.length === 1 ? o.reshape(a, [1, a.shape[0]]) : a;
  const right = b.shape.length === 1 ? o.reshape(b, [b.shape[0], 1]) : b;
  const product = o.matmul(left, right, options);
  const [batch, rows, columns] = [product.shape.slice(0, -2), ...product.shape.slice(-2)] as const;
  return o.reshape(product, [
    ...batch,
    ...(a.shape.length === 1 ? [] : [rows]),
    ...(b.shape.length === 1 ? [] : [columns]),
  ]);
}

/** alpha A B + beta C. */
function gemm(node: NodeCall): Tensor {
  const { attributes } = node;
  const alpha = attributes.float('alpha', 1);
  const beta = attributes.float('beta', 1);
  // Before opset 7 it allowed what is always allowed since.
  attributes.ignore('broadcast');
  const options = { transposeA: attributes.flag('transA', false), transposeB: attributes.flag('transB', false), alpha };
  const product = (a: Tensor, b: Tensor) => o.matmul(a, b, options);
  const [a, b] = [operand(node, 0), operand(node, 1)];
  const bias = optionalOperand(node, 2);
  if (bias === null || beta === 0) return onFloats([a, b], product);
  return onFloats([a, b, bias], (x, y, z) => o.add(product(x, y), o.multiply(z, beta)));
}

/** ONNX Runtime's product with transposes. `transBatch` puts the rows before the batch axes. */
function fusedMatmul(node: NodeCall): Tensor {
  const { attributes } = node;
  return matmul(operand(node, 0), operand(node, 1), {
    transposeA: attributes.flag('transA', false),
    transposeB: attributes.flag('transB', false),
    rowsFirstA: attributes.flag('transBatchA', false),
    rowsFirstB: attributes.flag('transBatchB', false),
    alpha: attributes.float('alpha', 1),
  });
}

/** ONNX Runtime's attention of several heads, without the masks, biases and caches that it may have. */
function multiHeadAttention(node: NodeCall): Tensor {
  const { attributes } = node;
  const heads = attributes.int('num_heads', 1);
  const [query, key, value] = [operand(node, 0), operand(node, 1), operand(node, 2)];
  const split = (x: Tensor) => {
    const [batch, tokens, width] = x.shape;
    const parts = o.transpose(o.reshape(x, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]);
    return o.reshape(parts, [batch * heads, tokens, width / heads]);
  };
  const scale = attributes.float('scale', 0) || 1 / Math.sqrt(query.shape[2] / heads);
  const mixed = o.attention(split(query), split(key), split(value), scale);
  const [batch, tokens] = query.shape;
  const parts = o.transpose(o.reshape(mixed, [batch, heads, tokens, -1]), [0, 2, 1, 3]);
  return o.reshape(parts, [batch, tokens, -1]);
}

export const productOperators: Operators = {
  MatMul: {
    inputs: [2, 2],
    isProduct: true,
    apply: (node) => onFloats([operand(node, 0), operand(node, 1)], (a, b) => matmul(a, b)),
  },
  Gemm: { inputs: [2, 3], isProduct: true, apply: gemm },
  Einsum: { inputs: [1, Number.MAX_SAFE_INTEGER], isProduct: true, apply: einsum },
};

/** Those of ONNX Runtime's own domain, `com.microsoft`. */
export const contributedProducts: Operators = {
  FusedMatMul: { inputs: [2, 2], isProduct: true, apply: fusedMatmul },
  MultiHeadAttention: { inputs: [3, 3], isProduct: true, apply: multiHeadAttention },
};
