import { describe, expect, test } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import { peakBytes, tensorBytes } from '../../src/engine/graph-memory.ts';
import { add, exp, matmul, multiply, reduceSum, rematerialise, reshape, sin } from '../../src/engine/ops.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';

const types = { x: tensorType([100]) };
const BYTES = 400;

describe('the most bytes between inputs and outputs', () => {
  test('of a tensor are those of its elements', () => {
    expect(tensorBytes(tensorType([2, 3]))).toBe(24);
    expect(tensorBytes(tensorType([2, 3], 'float64'))).toBe(48);
    expect(tensorBytes(tensorType([], 'bool'))).toBe(1);
  });

  test('are none where nothing lies between', () => {
    expect(peakBytes(trace(({ x }) => exp(x), types))).toBe(0);
  });

  test('are an operand and a result in a chain, however long', () => {
    const chain = (length: number) =>
      peakBytes(trace(({ x }) => Array.from({ length }).reduce<Tensor>((y) => sin(y), x), types));
    expect(chain(2)).toBe(BYTES);
    expect(chain(3)).toBe(2 * BYTES);
    expect(chain(9)).toBe(2 * BYTES);
  });

  test('count what is read later until then', () => {
    // exp(x) waits while two others are in use.
    expect(peakBytes(trace(({ x }) => multiply(sin(sin(sin(exp(x)))), exp(x)), types))).toBe(3 * BYTES);
  });

  test('count another shape of a value as the value', () => {
    const graph = trace(({ x }) => sin(sin(reshape(reshape(exp(x), [10, 10]), [100]))), types);
    expect(peakBytes(graph)).toBe(2 * BYTES);
  });

  test('grow with the depth of a network, but by little where its blocks are rematerialised', () => {
    const square = { x: tensorType([64, 64]), w: tensorType([64, 64]) };
    const block = (w: Tensor) => (h: Tensor) => add(h, sin(matmul(sin(matmul(sin(matmul(h, w)), w)), w)));
    const peak = (depth: number, again: boolean) =>
      peakBytes(
        trace(({ x, w }) => {
          const h = Array.from({ length: depth }).reduce<Tensor>(
            (y) => (again ? rematerialise(block(w), [y])[0] : block(w)(y)),
            x,
          );
          return gradient(reduceSum(multiply(h, h)), { x, w });
        }, square),
      ) /
      (64 * 64 * 4);
    // A block keeps its input alone, a matrix; without, what its three products and sines read, too.
    expect(peak(20, true) - peak(10, true)).toBe(10);
    expect(peak(20, false) - peak(10, false)).toBeGreaterThan(50);
  });
});
