import { describe, expect, it } from 'vitest';
import { graphFlops } from '../../src/engine/graph-flops.ts';
import { conv2d, convTranspose2d, type MatmulOptions, matmul } from '../../src/engine/ops.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';

function product(a: number[], b: number[], options: MatmulOptions = {}): number {
  const types = { a: tensorType(a), b: tensorType(b) };
  return graphFlops(trace((inputs) => ({ y: matmul(inputs.a, inputs.b, options) }), types));
}

describe('operations', () => {
  it('of a product are 2 m n k a matrix, in whatever layout', () => {
    expect(product([3, 5], [5, 7])).toBe(2 * 3 * 5 * 7);
    expect(product([5, 3], [5, 7], { transposeA: true })).toBe(2 * 3 * 5 * 7);
    expect(product([5, 3], [7, 5], { transposeA: true, transposeB: true })).toBe(2 * 3 * 5 * 7);
    expect(product([4, 3, 5], [5, 7])).toBe(2 * 4 * 3 * 5 * 7);
    expect(product([3, 4, 5], [4, 5, 7], { rowsFirstA: true })).toBe(2 * 4 * 3 * 5 * 7);
    expect(product([5, 4, 3], [4, 5, 7], { rowsFirstA: true, transposeA: true })).toBe(2 * 4 * 3 * 5 * 7);
  });

  it('of a convolution are 2 a tap, input channel and output element', () => {
    const types = { x: tensorType([2, 6, 8, 8]), kernel: tensorType([10, 3, 3, 3]) };
    const graph = trace(({ x, kernel }) => ({ y: conv2d(x, kernel, { stride: 2, padding: 1, groups: 2 }) }), types);
    expect(graphFlops(graph)).toBe(2 * (2 * 10 * 4 * 4) * 3 * 9);
  });

  it('of a transposed convolution are 2 a tap, output channel and input element', () => {
    const types = { x: tensorType([2, 6, 4, 4]), kernel: tensorType([6, 5, 4, 4]) };
    const graph = trace(({ x, kernel }) => ({ y: convTranspose2d(x, kernel, { stride: 2, padding: 1 }) }), types);
    expect(graphFlops(graph)).toBe(2 * (2 * 6 * 4 * 4) * 5 * 16);
  });
});
