import { describe, expect, it } from 'vitest';
import { quantile } from '../../src/numerics/quantile.ts';
import { pruningGolden } from '../analysis/pruning-golden.ts';

describe('a quantile', () => {
  const { values, shares, quantiles } = pruningGolden.quantiles;

  it.each(shares.map((share, i) => [share, quantiles[i]!] as const))('%d is that of NumPy', (share, expected) => {
    expect(quantile(values, share)).toBeCloseTo(expected, 14);
  });

  it('does not depend on the order, and leaves it', () => {
    const given = [3, 1, 2];
    expect(quantile(given, 0.5)).toBe(2);
    expect(quantile(given.toReversed(), 0.5)).toBe(2);
    expect(given).toEqual([3, 1, 2]);
  });

  it('of one value is that value, and of none no number', () => {
    expect(quantile([7], 0.95)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });
});
