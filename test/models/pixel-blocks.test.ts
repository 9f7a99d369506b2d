import { describe, expect, test } from 'vitest';
import { interpret } from '../../src/engine/interpreter.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { fromPixelBlocks, toPixelBlocks } from '../../src/models/layers/pixel-blocks.ts';

const count = (length: number) => Float32Array.from({ length }, (_, i) => i);

describe('squares of pixels as channels', () => {
  test('give each place in the square a channel of its own', () => {
    const graph = trace(({ x }) => ({ y: toPixelBlocks(x, 2) }), { x: tensorType([1, 1, 4, 4]) });
    const rows = [0, 2, 8, 10];
    const wanted = [0, 1, 4, 5].flatMap((place) => rows.map((row) => row + place));
    expect([...interpret(graph, { x: count(16) }).y]).toEqual(wanted);
  });

  test('come back as the picture', () => {
    const graph = trace(({ x }) => ({ y: fromPixelBlocks(toPixelBlocks(x, 3), 3) }), { x: tensorType([2, 3, 6, 9]) });
    expect([...interpret(graph, { x: count(324) }).y]).toEqual([...count(324)]);
  });
});
