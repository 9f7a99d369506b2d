import { describe, expect, test } from 'vitest';
import { interpret } from '../../src/engine/interpreter.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { codebookUsage, codeCounts, reviveDeadCodes } from '../../src/models/codebook-usage.ts';
import { stream } from '../../src/numerics/stream.ts';

test('counts of codes are those of the indices, and sum to the positions', () => {
  const graph = trace(({ indices }) => ({ counts: codeCounts(indices, 6) }), {
    indices: tensorType([2, 2, 3], 'int32'),
  });
  const indices = Int32Array.of(0, 5, 5, 1, 5, 3, 3, 0, 5, 5, 1, 0);
  const { counts } = interpret(graph, { indices });
  expect([...counts]).toEqual([3, 2, 0, 2, 0, 5]);
  expect(counts.reduce((a, b) => a + b)).toBe(indices.length);
});

describe('usage of a codebook', () => {
  test('has as perplexity the number of codes used alike', () => {
    expect(codebookUsage([7, 7, 0, 7, 7])).toEqual({ used: 4, perplexity: expect.closeTo(4, 12) });
    expect(codebookUsage([0, 9])).toEqual({ used: 1, perplexity: 1 });
    // Entropy of (1/2, 1/4, 1/4) is 3/2 bits.
    expect(codebookUsage([2, 1, 1]).perplexity).toBeCloseTo(2 ** 1.5, 12);
  });

  test('needs a choice', () => {
    expect(() => codebookUsage([0, 0])).toThrow(/at least one choice; got a sum of 0/);
  });
});

describe('revival', () => {
  const codebook = Float32Array.of(1, 2, 3, 4, 5, 6);
  const rows = Float32Array.of(10, 11, 20, 21);
  const options = { counts: [1, 0, 4], least: 2, rows };

  test('replaces the codes with too few choices by rows, and no others', () => {
    const { codebook: after, revived } = reviveDeadCodes(codebook, { ...options, random: stream(1, 'revival') });
    expect(revived).toEqual([0, 1]);
    for (const code of revived)
      expect([
        [10, 11],
        [20, 21],
      ]).toContainEqual([...after.subarray(2 * code, 2 * code + 2)]);
    expect([...after.subarray(4)]).toEqual([5, 6]);
    expect([...codebook]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('draws every row', () => {
    const firsts = Array.from({ length: 40 }, (_, index) => {
      const { codebook: after } = reviveDeadCodes(codebook, { ...options, random: stream(1, 'revival', index) });
      return after[0];
    });
    expect([...new Set(firsts)].sort()).toEqual([10, 20]);
  });

  test('refuses sizes that do not fit', () => {
    const random = stream(1, 'revival');
    expect(() => reviveDeadCodes(codebook, { ...options, counts: [1, 2, 3, 4], random })).toThrow(
      /got 6, 4 and 4 numbers/,
    );
    expect(() => reviveDeadCodes(codebook, { ...options, rows: new Float32Array(), random })).toThrow(/6, 3 and 0/);
  });
});
