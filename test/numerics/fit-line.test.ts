import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { fitLine } from '../../src/numerics/fit-line.ts';
import { jackknifeError } from '../../src/numerics/jackknife.ts';
import { stream } from '../../src/numerics/stream.ts';

describe('a line of least squares', () => {
  it('goes through points that lie on one', () => {
    const { intercept, slope, interceptError } = fitLine([1, 2, 4], [5, 7, 11]);
    expect([intercept, slope]).toEqual([3, 2]);
    expect(interceptError).toBe(0);
  });

  it('has the error of the textbook', () => {
    // Residuals 1/6, -1/3, 1/6 of 1, 1, 2 at 0, 1, 2: variance 1/6, times 1/3 + 1/2.
    const { intercept, slope, interceptError } = fitLine([0, 1, 2], [1, 1, 2]);
    expect(intercept).toBeCloseTo(5 / 6, 14);
    expect(slope).toBeCloseTo(0.5, 14);
    expect(interceptError).toBeCloseTo(Math.sqrt((1 / 6) * (5 / 6)), 14);
    expect(fitLine([0, 1], [1, 3]).interceptError).toBeNaN();
  });

  it('needs two different places', () => {
    expect(() => fitLine([2, 2], [1, 3])).toThrow(ConfigError);
  });
});

describe('the jackknife', () => {
  it('of a mean without single values is its standard error', () => {
    const random = stream(4, 'jackknife');
    const values = Array.from({ length: 30 }, () => random.normal());
    const sum = values.reduce((total, value) => total + value, 0);
    const squares = values.reduce((total, value) => total + (value - sum / 30) ** 2, 0);
    const error = jackknifeError(values.map((value) => (sum - value) / 29));
    expect(error).toBeCloseTo(Math.sqrt(squares / 29 / 30), 14);
    expect(jackknifeError([1])).toBeNaN();
  });
});
