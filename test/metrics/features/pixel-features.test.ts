import { describe, expect, it } from 'vitest';
import { pixelFeatures } from '../../../src/metrics/features/pixel-features.ts';

describe('pixelFeatures', () => {
  it('gives each image its pixels in [0, 1]', async () => {
    const features = pixelFeatures([1, 1, 2]);
    expect(features.dimensions).toBe(2);
    expect([...(await features.extract(Uint8Array.of(0, 51, 255, 102), [1, 1, 2]))]).toEqual(
      [0, 0.2, 1, 0.4].map(Math.fround),
    );
    expect([...(await features.extract(new Uint8Array(0), [1, 1, 2]))]).toEqual([]);
  });

  it('names its shape and range, and has no hash', () => {
    expect(pixelFeatures([3, 8, 8])).toMatchObject({ network: 'pixels 3x8x8 [0,1]', hash: null });
  });

  it('refuses parts of images, and images of another shape', async () => {
    const features = pixelFeatures([1, 2, 2]);
    await expect(features.extract(new Uint8Array(5), [1, 2, 2])).rejects.toThrow(
      'Expected `pixels` to be whole images of [channels, height, width] = [1, 2, 2]; got 5 numbers.',
    );
    await expect(features.extract(new Uint8Array(4), [1, 1, 4])).rejects.toThrow(
      'Expected images of [channels, height, width] = [1, 2, 2]; got [1, 1, 4].',
    );
  });
});
