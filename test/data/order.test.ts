import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dataOrder, type OrderOptions } from '../../src/data/order.ts';
import { ConfigError } from '../../src/errors.ts';

function take(options: OrderOptions, start: number, images: number) {
  const indices = new Uint32Array(images);
  const flipped = new Uint8Array(images);
  dataOrder(options).fill(start, indices, flipped);
  return { indices: [...indices], flipped: [...flipped] };
}

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const counts = fc.integer({ min: 1, max: 200 });

describe('dataOrder', () => {
  it('shows every image once an epoch', () => {
    fc.assert(
      fc.property(seeds, counts, fc.integer({ min: 0, max: 50 }), (seed, count, epoch) => {
        const { indices } = take({ seed, count }, epoch * count, count);
        expect(indices.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      }),
    );
  });

  it('continues from any number of images seen as if it had never stopped', () => {
    fc.assert(
      fc.property(seeds, counts, fc.integer({ min: 0, max: 500 }), (seed, count, start) => {
        const options = { seed, count, flip: true };
        const whole = take(options, 0, start + 100);
        const rest = take(options, start, 100);
        expect(rest.indices).toEqual(whole.indices.slice(start));
        expect(rest.flipped).toEqual(whole.flipped.slice(start));
      }),
    );
  });

  it('does not depend on the batch size', () => {
    const options = { seed: 3, count: 37, flip: true };
    const whole = take(options, 0, 400);
    for (const batch of [1, 7, 64]) {
      const order = dataOrder(options);
      const parts = Array.from({ length: Math.floor(400 / batch) }, (_, i) => {
        const indices = new Uint32Array(batch);
        const flipped = new Uint8Array(batch);
        order.fill(i * batch, indices, flipped);
        return { indices: [...indices], flipped: [...flipped] };
      });
      const images = parts.length * batch;
      expect(parts.flatMap((part) => part.indices)).toEqual(whole.indices.slice(0, images));
      expect(parts.flatMap((part) => part.flipped)).toEqual(whole.flipped.slice(0, images));
    }
  });

  it('may be asked out of order', () => {
    const order = dataOrder({ seed: 1, count: 10 });
    const at = (start: number) => {
      const indices = new Uint32Array(10);
      order.fill(start, indices, new Uint8Array(10));
      return [...indices];
    };
    const first = at(0);
    at(1000);
    expect(at(0)).toEqual(first);
  });

  it('mirrors half of the images, and an image differently from epoch to epoch', () => {
    const count = 1000;
    const { indices, flipped } = take({ seed: 11, count, flip: true }, 0, 100 * count);
    const mean = flipped.reduce((sum, bit) => sum + bit, 0) / flipped.length;
    // Five standard deviations of the mean of 100,000 fair bits.
    expect(Math.abs(mean - 0.5)).toBeLessThan((5 * 0.5) / Math.sqrt(flipped.length));
    const ofImage = indices.flatMap((index, k) => (index === 7 ? [flipped[k]!] : []));
    expect(ofImage).toHaveLength(100);
    expect(new Set(ofImage).size).toBe(2);
  });

  it('puts each image at each place equally often', () => {
    const count = 8;
    const epochs = 4000;
    const { indices } = take({ seed: 5, count }, 0, count * epochs);
    const times = new Float64Array(count * count);
    indices.forEach((index, k) => {
      times[(k % count) * count + index]! += 1;
    });
    const expected = epochs / count;
    const chiSquare = times.reduce((sum, observed) => sum + (observed - expected) ** 2 / expected, 0);
    // 49 degrees of freedom: the 0.9999 quantile is 97.
    expect(chiSquare).toBeLessThan(97);
  });

  it('has another order for another seed and another epoch', () => {
    const orders = [0, 1].flatMap((seed) =>
      [0, 50].map((start) => take({ seed, count: 50 }, start, 50).indices.join()),
    );
    expect(new Set(orders).size).toBe(4);
  });

  it('goes straight through without shuffling', () => {
    expect(take({ seed: 0, count: 3, shuffle: false }, 2, 5).indices).toEqual([2, 0, 1, 2, 0]);
  });

  it('lets no image appear twice in an epoch of whole batches', () => {
    const options = { seed: 2, count: 10, epochImages: 8 };
    for (let epoch = 0; epoch < 20; epoch++) expect(new Set(take(options, epoch * 8, 8).indices).size).toBe(8);
    const met = new Set(take(options, 0, 8 * 20).indices);
    expect(met.size).toBe(10);
  });

  it('never changes between versions', () => {
    expect(take({ seed: 42, count: 10, flip: true }, 5, 15)).toMatchInlineSnapshot(`
      {
        "flipped": [
          1,
          0,
          0,
          0,
          1,
          0,
          0,
          0,
          1,
          0,
          0,
          0,
          0,
          0,
          1,
        ],
        "indices": [
          3,
          9,
          2,
          4,
          7,
          3,
          7,
          6,
          4,
          1,
          2,
          5,
          8,
          0,
          9,
        ],
      }
    `);
  });

  it.each([
    ['count', { seed: 0, count: 0 }],
    ['count', { seed: 0, count: 2 ** 32 }],
    ['epochImages', { seed: 0, count: 4, epochImages: 5 }],
    ['seed', { seed: -1, count: 4 }],
  ])('refuses %s out of range', (name, options) => {
    expect(() => dataOrder(options)).toThrow(ConfigError);
    expect(() => dataOrder(options)).toThrow(`\`${name}\``);
  });

  it('refuses images seen that are not a count', () => {
    expect(() => take({ seed: 0, count: 4 }, -1, 1)).toThrow(
      'Expected `imagesSeen` to be an integer in [0, 2^53); got -1.',
    );
  });
});
