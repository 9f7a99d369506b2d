import { describe, expect, test } from 'vitest';
import { interpret } from '../../src/engine/interpreter.ts';
import { reshape, transpose } from '../../src/engine/ops.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { fromPatches, gridEmbedding, toPatches } from '../../src/models/layers/patches.ts';

describe('patches', () => {
  test('hold a square of the image each, channels before rows and columns', () => {
    const graph = trace(({ x }) => ({ y: toPatches(x, 2) }), { x: tensorType([1, 2, 4, 4]) });
    const patches = interpret(graph, { x: Float32Array.from({ length: 32 }, (_, i) => i) }).y;
    expect([...patches.subarray(0, 16)]).toEqual([0, 1, 4, 5, 16, 17, 20, 21, 2, 3, 6, 7, 18, 19, 22, 23]);
  });

  test('with their channels moved last come back as the image', () => {
    const graph = trace(
      ({ x }) => {
        const cells = reshape(toPatches(x, 2), [6, 3, 5, 2, 2]);
        return { y: fromPatches(reshape(transpose(cells, [0, 1, 3, 4, 2]), [6, 3, 20]), 2, [5, 4, 6]) };
      },
      { x: tensorType([3, 5, 4, 6]) },
    );
    const image = Float32Array.from({ length: 3 * 5 * 4 * 6 }, (_, i) => i);
    expect([...interpret(graph, { x: image }).y]).toEqual([...image]);
  });

  test('know their column in the first half of the grid embedding and their row in the second', () => {
    const table = gridEmbedding(3, 5, 8);
    const token = 2 * 5 + 4; // row 2, column 4
    const wanted = [4, 0.04, 2, 0.02].map((angle) => [Math.sin(angle), Math.cos(angle)]);
    const [column, row] = [table.subarray(token * 8, token * 8 + 4), table.subarray(token * 8 + 4, token * 8 + 8)];
    [column[0], column[2], column[1], column[3], row[0], row[2], row[1], row[3]].forEach((value, i) => {
      expect(value).toBeCloseTo(wanted.flat()[i], 12);
    });
  });
});
