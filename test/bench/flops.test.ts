import { describe, expect, it } from 'vitest';
import { gigaflops, stepFlops } from '../../bench/flops.ts';
import { admUnet, dit384x4, fashionUnet } from '../../bench/step-cases.ts';
import { stepParts } from '../../bench/training-step.ts';
import { PARAMETERS } from '../../src/training/parameter-update.ts';
import { evaluateGraph } from '../../src/training/step.ts';

describe('operations of a step', () => {
  it('of a DiT are those of its formula', () => {
    const [batch, tokens, width, blocks] = [8, 256, 384, 4];
    const rows = batch * tokens;
    const block = 2 * rows * 12 * width ** 2 + 2 * 2 * rows * tokens * width + 2 * batch * 6 * width ** 2;
    const ends = 2 * rows * 2 * 16 * width;
    const condition = 2 * batch * (256 * width + width ** 2 + 2 * width ** 2);
    const flops = stepFlops(evaluateGraph(stepParts(dit384x4), PARAMETERS));
    expect(flops).toBe(3 * (blocks * block + ends + condition));
  });

  it('of U-Nets have the size that is expected of them', () => {
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
