import { describe, expect, it } from 'vitest';
import { integralOverTime, integralShares, pairwiseBounds, wassersteinBound } from '../../src/analysis/error-bound.ts';
import { ShapeError } from '../../src/errors.ts';

const middles = (count: number) => Array.from({ length: count }, (_, k) => (k + 0.5) / count);

describe('an integral over time', () => {
  it('of a constant is the constant, whatever the times', () => {
    for (const times of [[0.5], [0.1, 0.9], [0, 0.3, 1], middles(7)]) {
      expect(
        integralOverTime(
          times,
          times.map(() => 3),
        ),
      ).toBeCloseTo(3, 12);
    }
  });

  it('is the trapezoidal rule where the times reach both ends, and the midpoint rule in the middles of intervals', () => {
    expect(integralOverTime([0, 0.25, 1], [1, 2, 4])).toBeCloseTo(0.25 * 1.5 + 0.75 * 3, 12);
    const values = [3, 1, 4, 1];
    expect(integralOverTime(middles(4), values)).toBeCloseTo(9 / 4, 12);
  });

  it('tends to that of a smooth function with the square of the interval', () => {
    const error = (count: number) => integralOverTime(middles(count), middles(count).map(Math.exp)) - (Math.E - 1);
    expect(error(10) / error(20)).toBeCloseTo(4, 1);
    expect(Math.abs(error(100))).toBeLessThan(1e-4);
  });

  it('is the sum of its shares', () => {
    expect(integralShares([0.2, 0.6], [1, 10])).toEqual([0.4, 6]);
  });

  it.each<[string, number[], number[]]>([
    ['no time', [], []],
    ['times that fall', [0.5, 0.4], [1, 1]],
    ['equal times', [0.5, 0.5], [1, 1]],
    ['a time above 1', [0.5, 1.1], [1, 1]],
    ['a time below 0', [-0.1, 0.5], [1, 1]],
    ['a value too few', [0.1, 0.5], [1]],
  ])('is refused for %s', (_name, times, values) => {
    expect(() => integralOverTime(times, values)).toThrow(ShapeError);
  });
});

describe('the bound of W2', () => {
  it('is the product of growth and root mean square error over time', () => {
    const { bound, velocityError, growth, lastShare } = wassersteinBound(5, { times: [0.25, 0.75], squares: [1, 7] });
    expect(velocityError).toBeCloseTo(2, 12);
    expect(growth).toBe(5);
    expect(bound).toBeCloseTo(10, 12);
    expect(lastShare).toBeCloseTo(7 / 8, 12);
    expect(wassersteinBound(5, { times: [0.5], squares: [0] })).toMatchObject({ bound: 0, lastShare: 0 });
  });

  // The flow of v = a x + c from x0 ends at e^a x0 + c (e^a - 1) / a: fields that differ by c end apart by the same vector from every x0,
  // so W2 = |c| (e^a - 1) / a; the Lipschitz constant is |a|.
  it.each([0.1, 1, 3, -2])('is above the distance of the ends of two linear flows, a = %f', (a) => {
    const c = 0.7;
    const times = middles(50);
    const growth = Math.exp(
      integralOverTime(
        times,
        times.map(() => Math.abs(a)),
      ),
    );
    const { bound } = wassersteinBound(growth, { times, squares: times.map(() => c * c) });
    const distance = (c * Math.expm1(a)) / a;
    expect(bound).toBeGreaterThanOrEqual(distance);
    expect(bound / distance).toBeCloseTo((Math.exp(Math.abs(a)) * a) / Math.expm1(a), 8);
  });
});

describe('bounds of pairs', () => {
  it('are sums, and 0 for a model and itself', () => {
    expect(pairwiseBounds([1, 2, 5])).toEqual([
      [0, 3, 6],
      [3, 0, 7],
      [6, 7, 0],
    ]);
  });
});
