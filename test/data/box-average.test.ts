import { describe, expect, it } from 'vitest';
import { boxAverage } from '../../src/data/box-average.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';

const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('boxAverage', () => {
  it('takes the means of blocks where the size divides the image', () => {
    const values = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    expect([...boxAverage({ values, shape: [1, 4, 4] }, 2)]).toEqual([3.5, 5.5, 11.5, 13.5]);
    expect([...boxAverage({ values, shape: [1, 4, 4] }, 1)]).toEqual([8.5]);
    expect([...boxAverage({ values, shape: [1, 4, 4] }, 4)]).toEqual([...values]);
  });

  it('shares a pixel that lies on an edge', () => {
    // Boxes of 1.5 x 1.5: the corner holds 1 whole pixel, two halves and a quarter, over 2.25.
    const values = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
    const corner = (1 + 2 / 2 + 4 / 2 + 5 / 4) / 2.25;
    expect(boxAverage({ values, shape: [1, 3, 3] }, 2)[0]).toBeCloseTo(corner, 6);
  });

  it.each([[8], [16], [27], [5]])('keeps each channel of each image apart, and its mean, at %i pixels', (size) => {
    const values = normalsFromSeeds(Uint32Array.of(1), 2 * 3 * 28 * 28);
    const small = boxAverage({ values, shape: [3, 28, 28] }, size);
    expect(small).toHaveLength(2 * 3 * size * size);
    for (let plane = 0; plane < 6; plane++) {
      const before = mean(values.subarray(plane * 784, (plane + 1) * 784));
      expect(mean(small.subarray(plane * size * size, (plane + 1) * size * size))).toBeCloseTo(before, 6);
    }
  });

  it('keeps even images even, wide ones too', () => {
    const small = boxAverage({ values: new Float32Array(5 * 9).fill(0.3), shape: [1, 5, 9] }, 4);
    for (const value of small) expect(value).toBeCloseTo(0.3, 6);
  });

  it('says what is wrong with a request', () => {
    const images = { values: new Float32Array(16), shape: [1, 4, 4] } as const;
    expect(() => boxAverage(images, 5)).toThrow(
      'Expected a size of 1 to 4 pixels, as images are only made smaller; got 5',
    );
    expect(() => boxAverage(images, 1.5)).toThrow('got 1.5');
    expect(() => boxAverage({ ...images, values: new Float32Array(15) }, 2)).toThrow('`values` to be [count, 1, 4, 4]');
  });
});
