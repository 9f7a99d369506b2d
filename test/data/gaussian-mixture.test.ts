import { describe, expect, it } from 'vitest';
import { drawGaussianMixture } from '../../src/data/gaussian-mixture.ts';
import { estimateMean } from '../../src/numerics/estimate.ts';

const options = { dimension: 3, components: 4, spread: 2, width: 0.5, count: 50, seed: 7 };

describe('a mixture of normals', () => {
  it('prolongs what is there: by points, and by dimensions of one component', () => {
    const few = drawGaussianMixture(options);
    const many = drawGaussianMixture({ ...options, count: 80 });
    expect(many.vectors.subarray(0, few.vectors.length)).toEqual(few.vectors);
    expect(many.labels.subarray(0, 50)).toEqual(few.labels);
    const wide = drawGaussianMixture({ ...options, dimension: 5 });
    for (let i = 0; i < 50; i++) {
      expect(wide.vectors.subarray(5 * i, 5 * i + 3)).toEqual(few.vectors.subarray(3 * i, 3 * i + 3));
    }
  });

  it('is another one for another seed', () => {
    expect(drawGaussianMixture({ ...options, seed: 8 }).vectors).not.toEqual(drawGaussianMixture(options).vectors);
  });

  it('has points of the given width about centres of the given spread, which do not depend on the width', () => {
    const dimension = 2000;
    const centres = drawGaussianMixture({ ...options, dimension, width: 0, count: 40 });
    const points = drawGaussianMixture({ ...options, dimension, count: 40 });
    expect(centres.labels).toEqual(points.labels);
    expect(new Set(points.labels).size).toBe(4);
    const about = points.vectors.map((value, at) => (value - centres.vectors[at]!) ** 2);
    // Squares have variance 2 sigma^4: the mean over 80,000 is within four errors.
    expect(Math.abs(estimateMean(about).mean - 0.25)).toBeLessThan(4 * 0.25 * Math.sqrt(2 / 80_000));
    const squares = centres.vectors.map((value) => value ** 2);
    expect(Math.abs(estimateMean(squares).mean - 4)).toBeLessThan(4 * 4 * Math.sqrt(2 / (4 * dimension)));
    for (let i = 1; i < 40; i++) {
      const same = centres.vectors
        .subarray(0, dimension)
        .every((value, k) => value === centres.vectors[i * dimension + k]);
      expect(same).toBe(points.labels[i] === points.labels[0]);
    }
  });

  it.each([
    [{ dimension: 0 }, 'Expected `dimension` to be an integer of at least 1; got 0.'],
    [{ components: 1.5 }, '`components`'],
    [{ count: Number.NaN }, '`count`'],
    [{ width: -1 }, 'Expected `width` to be a number of at least 0; got -1.'],
    [{ spread: Number.POSITIVE_INFINITY }, '`spread`'],
    [{ count: 2 ** 20, dimension: 2 ** 20 }, 'Try fewer points.'],
  ])('refuses %j', (change, message) => {
    expect(() => drawGaussianMixture({ ...options, ...change })).toThrow(message);
  });
});
