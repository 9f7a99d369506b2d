import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { reduceSum } from '../../src/engine/ops.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { prepareLatents } from '../../src/experiments/prepare-latents.ts';

describe('prepareLatents', () => {
  it('brings latents into the range of a network, in three channels and its size, with a derivative', () => {
    const preparation = { size: [1, 4], resize: 'bilinear', range: '[0,1]', channels: 'rgb' } as const;
    const graph = trace(
      ({ latents }) => {
        const input = prepareLatents(latents, preparation);
        return { input, slope: gradient(reduceSum(input), latents) };
      },
      { latents: tensorType([1, 1, 1, 2]) },
    );
    const { input, slope } = interpret(graph, { latents: [-1, 1] });
    const row = [0, 0.25, 0.75, 1];
    for (const [i, value] of input!.entries()) expect(value).toBeCloseTo(row[i % 4]!, 6);
    expect(input!.length).toBe(12);
    // Each pixel feeds half of 3 x 4 numbers, at half of the range.
    for (const value of slope!) expect(value).toBeCloseTo(3, 6);
  });
});
