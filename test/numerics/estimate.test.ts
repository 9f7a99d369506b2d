import { describe, expect, it } from 'vitest';
import { estimateDifference, estimateMean } from '../../src/numerics/estimate.ts';
import { stream } from '../../src/numerics/stream.ts';

describe('an estimate of a mean', () => {
  it('has the error of the textbook', () => {
    // Variance (n - 1) of 1, 2, 3, 4 is 5/3.
    expect(estimateMean([1, 2, 3, 4])).toEqual({ mean: 2.5, standardError: Math.sqrt(5 / 3 / 4), count: 4 });
    expect(estimateMean([7])).toEqual({ mean: 7, standardError: Number.NaN, count: 1 });
  });

  it('keeps its digits far from 0', () => {
    const { mean, standardError } = estimateMean([1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4]);
    expect(mean - 1e9).toBeCloseTo(2.5, 6);
    expect(standardError).toBeCloseTo(Math.sqrt(5 / 3 / 4), 6);
  });

  it('is off by its standard error, on average over many draws', () => {
    const ratios = Array.from({ length: 400 }, (_, draw) => {
      const random = stream(1, 'estimate', draw);
      const { mean, standardError } = estimateMean(Float64Array.from({ length: 50 }, () => 3 + random.normal()));
      return ((mean - 3) / standardError) ** 2;
    });
    // Squares of Student's t with 49 degrees of freedom: mean 49/47, variance about 2; four standard errors of 400 draws.
    expect(Math.abs(estimateMean(ratios).mean - 49 / 47)).toBeLessThan(4 * Math.sqrt(2.3 / 400));
  });
});

describe('an estimate of a difference', () => {
  it('drops what the pairs have in common', () => {
    const random = stream(2, 'estimate');
    const common = Float64Array.from({ length: 100 }, () => 10 * random.normal());
    const { mean, standardError } = estimateDifference(
      common.map((value, i) => value + 2 + (i % 2)),
      common,
    );
    expect(mean).toBeCloseTo(2.5, 12);
    expect(standardError).toBeCloseTo(0.5 / Math.sqrt(99), 12);
  });
});
