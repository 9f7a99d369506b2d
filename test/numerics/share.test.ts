import { describe, expect, it } from 'vitest';
import { shareOf } from '../../src/numerics/share.ts';
import { stream } from '../../src/numerics/stream.ts';
import { pruningGolden } from '../analysis/pruning-golden.ts';

describe('a share', () => {
  it.each(pruningGolden.intervals)(
    'has the interval that SciPy gives: $hits of $trials',
    ({ hits, trials, ...ends }) => {
      const { share, low, high } = shareOf(hits, trials);
      expect(share).toBe(hits / trials);
      expect(low).toBeCloseTo(ends.low, 14);
      expect(high).toBeCloseTo(ends.high, 14);
    },
  );

  it('of complementary counts has the mirrored interval', () => {
    for (let hits = 0; hits <= 20; hits++) {
      const [one, other] = [shareOf(hits, 20), shareOf(20 - hits, 20)];
      expect(one.low).toBeCloseTo(1 - other.high, 14);
    }
  });

  it('has an interval with the true probability in 95 of 100 draws, about', () => {
    let covered = 0;
    for (let draw = 0; draw < 1000; draw++) {
      const random = stream(3, 'share', draw);
      let hits = 0;
      for (let i = 0; i < 80; i++) if (random.uniform() < 0.9) hits++;
      const { low, high } = shareOf(hits, 80);
      if (low <= 0.9 && 0.9 <= high) covered++;
    }
    // Exact coverage of this interval at p = 0.9, n = 80 is 0.95 within 0.02; the error of 1,000 draws is 0.007.
    expect(covered).toBeGreaterThan(910);
    expect(covered).toBeLessThan(985);
  });

  it('without a trial says nothing, and refuses counts that are none', () => {
    expect(shareOf(0, 0)).toEqual({ hits: 0, trials: 0, share: Number.NaN, low: 0, high: 1 });
    expect(() => shareOf(3, 2)).toThrow('Expected integers 0 <= hits <= trials; got 3 of 2.');
    expect(() => shareOf(0.5, 2)).toThrow('got 0.5 of 2');
  });
});
