/** Attention that is written as products around a softmax, as one operation. */
import { closeGraph, expandGraph, type Graph, inlineGraph, placeholdersFor } from './graph.ts';
import { attention } from './primitives/attention.ts';
import { type MatmulAttributes, matmulPrimitive } from './primitives/matmul.ts';
import { transpose } from './primitives/shape.ts';
import { softmaxPrimitive } from './primitives/softmax.ts';
import { applyPrimitive, type Tensor } from './tensor.ts';

/** The operands of a product as it sees them: [batch, rows, columns]. */
interface Product {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly alpha: number;
}

/** An operand [batch, rows, columns], stored as such, with its rows first, or transposed. */
function seen(x: Tensor, rowsFirst: boolean, transposed: boolean): Tensor {
  if (rowsFirst) return transpose(x, transposed ? [1, 2, 0] : [1, 0, 2]);
  return transposed ? transpose(x, [0, 2, 1]) : x;
}

/** The product that a call makes of float32 [batch, ., .] each; `null` for others. */
function productOf({ call, dtype }: Tensor): Product | null {
  if (call?.primitive.name !== matmulPrimitive.name || dtype !== 'float32') return null;
  // The attributes of a product.
  const { rowsFirstA, rowsFirstB, transposeA, transposeB, alpha } = call.attributes as MatmulAttributes;
  if (call.inputs.some(({ shape }) => shape.length !== 3)) return null;
  const [a, b] = [seen(call.inputs[0], rowsFirstA, transposeA), seen(call.inputs[1], rowsFirstB, transposeB)];
  return a.shape[0] === b.shape[0] ? { a, b, alpha } : null;
}

/** The product under a softmax. */
function scoresOf(x: Tensor): Product | null {
  return x.call?.primitive.name === softmaxPrimitive.name ? productOf(x.call.inputs[0]) : null;
}

const turned = (x: Tensor) => transpose(x, [0, 2, 1]);

/** What a product is where one of its factors is a softmax of a product; `null` where none is. */
function fused(product: Tensor): Tensor | null {
  const outer = productOf(product);
  if (outer === null || outer.alpha !== 1) return null;
  const first = product.call!.inputs[0];
  const second = product.call!.inputs[1];
  // softmax(scores) values, with the softmax as it is.
  const scores = scoresOf(first);
  if (scores !== null && outer.a === first) return attention(scores.a, turned(scores.b), outer.b, scores.alpha);
  // values softmax(scores)^T, which is (softmax(scores) values^T)^T.
  const behind = scoresOf(second);
  const { rowsFirstB, transposeB } = product.call!.attributes as MatmulAttributes;
  if (behind === null || rowsFirstB || !transposeB) return null;
  return turned(attention(behind.a, turned(behind.b), turned(outer.a), behind.alpha));
}

/** The same function with `attention` in the place of products around a softmax, in float32 and with one batch axis. */
export function fuseAttention(graph: Graph): Graph {
  const whole = expandGraph(graph);
  const inputs = placeholdersFor(whole);
  const outputs = inlineGraph(whole, inputs, (primitive, operands, attributes) => {
    const results = applyPrimitive(primitive, operands, attributes);
    const one = primitive.name === matmulPrimitive.name ? fused(results[0]) : null;
    return one === null ? results : [one];
  });
  return closeGraph(Object.entries(inputs), Object.entries(outputs));
}
