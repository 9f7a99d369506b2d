import { describe, expect, it } from 'vitest';
import { gigaflops, stepFlops } from '../../bench/flops.ts';
import { admUnet, dit384x4, fashionUnet } from '../../bench/step-cases.ts';
import { stepParts } from '../../bench/training-step.ts';
import { graphFlops } from '../../src/engine/graph-flops.ts';
import { conv2d, convTranspose2d, type MatmulOptions, matmul } from '../../src/engine/ops.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { evaluateGraph, PARAMETERS } from '../../src/training/step.ts';

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

  it('of the DiT step are those of its formula', () => {
    const [batch, tokens, width, blocks] = [8, 256, 384, 4];
    const rows = batch * tokens;
    const block = 2 * rows * 12 * width ** 2 + 2 * 2 * rows * tokens * width + 2 * batch * 6 * width ** 2;
    const ends = 2 * rows * 2 * 16 * width;
    const condition = 2 * batch * (256 * width + width ** 2 + 2 * width ** 2);
    const flops = stepFlops(evaluateGraph(stepParts(dit384x4), PARAMETERS));
    expect(flops).toBe(3 * (blocks * block + ends + condition));
  });

  it('of the U-Nets have the size that is expected of them', () => {
    const perImage = (spec: typeof admUnet) =>
      stepFlops(evaluateGraph(stepParts(spec), PARAMETERS)) / 3 / spec.batch / 2e9;
    // 10^9 multiply-adds a forward pass.
    expect(perImage(admUnet)).toBeGreaterThan(5);
    expect(perImage(admUnet)).toBeLessThan(8);
    expect(perImage(fashionUnet())).toBeGreaterThan(0.03);
    expect(perImage(fashionUnet())).toBeLessThan(0.3);
  });

  it('become a rate: 10^9 operations a second', () => {
    expect(gigaflops(2e9, 1000)).toBe(2);
  });
});
