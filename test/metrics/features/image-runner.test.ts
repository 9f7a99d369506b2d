import { describe, expect, it } from 'vitest';
import { keepingLast } from '../../../src/metrics/features/image-runner.ts';

describe('keepingLast', () => {
  const counting = () => {
    const calls: number[] = [];
    const runner = keepingLast({
      async run(pixels) {
        calls.push(pixels[0]!);
        if (pixels[0] === 9) throw new Error('nine');
        return { features: Float32Array.from(pixels) };
      },
      release() {},
    });
    return { calls, runner };
  };

  it('runs once for equal images, and again for others, also in the same memory', async () => {
    const { calls, runner } = counting();
    const pixels = Uint8Array.of(1, 2);
    await runner.run(pixels, [1, 1, 2]);
    expect(await runner.run(Uint8Array.of(1, 2), [1, 1, 2])).toEqual({ features: Float32Array.of(1, 2) });
    expect(calls).toEqual([1]);
    await runner.run(pixels, [1, 2, 1]);
    pixels[0] = 5;
    await runner.run(pixels, [1, 2, 1]);
    expect(calls).toEqual([1, 1, 5]);
  });

  it('does not keep a failure', async () => {
    const { calls, runner } = counting();
    await expect(runner.run(Uint8Array.of(9), [1, 1, 1])).rejects.toThrow('nine');
    await expect(runner.run(Uint8Array.of(9), [1, 1, 1])).rejects.toThrow('nine');
    expect(calls).toEqual([9, 9]);
  });
});
