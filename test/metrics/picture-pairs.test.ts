import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { peakSignalToNoise, peakSignalToNoiseOf } from '../../src/metrics/peak-signal-to-noise.ts';
import { structuralSimilarity, structuralSimilarityOf } from '../../src/metrics/structural-similarity.ts';
import { stream } from '../../src/numerics/stream.ts';

interface Golden {
  readonly shape: [number, number, number];
  readonly originals: readonly number[];
  readonly pictures: readonly number[];
  readonly psnr: readonly number[];
  readonly ssim: readonly number[];
}

const golden = JSON.parse(readFileSync(join(import.meta.dirname, '../golden/picture-pairs.json'), 'utf8')) as Golden;
const pairs = {
  pictures: Uint8Array.from(golden.pictures),
  originals: Uint8Array.from(golden.originals),
  shape: golden.shape,
};

const shape = [1, 16, 16] as const;
const random = stream(7, 'pictures');
const noise = Uint8Array.from({ length: 512 }, () => random.below(256));

describe('measures of reconstructions', () => {
  it('are those of SciPy and NumPy (scripts/golden/picture_pairs.py)', () => {
    for (const [i, value] of peakSignalToNoiseOf(pairs).entries()) expect(value).toBeCloseTo(golden.psnr[i], 10);
    for (const [i, value] of structuralSimilarityOf(pairs).entries()) expect(value).toBeCloseTo(golden.ssim[i], 10);
  });

  it('are infinite and 1 for pictures and themselves', () => {
    const same = { pictures: noise, originals: noise, shape };
    expect([...peakSignalToNoiseOf(same)]).toEqual([Infinity, Infinity]);
    for (const value of structuralSimilarityOf(same)) expect(value).toBeCloseTo(1, 12);
  });

  it('are 20 log10(255 / d) for pictures that differ by d everywhere', () => {
    const originals = noise.map((value) => Math.min(value, 250));
    const pictures = originals.map((value) => value + 5);
    for (const value of peakSignalToNoiseOf({ pictures, originals, shape })) {
      expect(value).toBeCloseTo(20 * Math.log10(255 / 5), 10);
    }
  });

  it('compare two flat pictures by their luminance alone', () => {
    const [a, b] = [100, 150];
    const flat = { pictures: new Uint8Array(256).fill(a), originals: new Uint8Array(256).fill(b), shape };
    const constant = (0.01 * 255) ** 2;
    expect(structuralSimilarityOf(flat)[0]).toBeCloseTo((2 * a * b + constant) / (a * a + b * b + constant), 10);
  });

  it('carry their conventions, counts and errors', () => {
    expect(peakSignalToNoise(pairs)).toMatchObject({
      name: 'peak-signal-to-noise',
      unit: 'dB',
      samples: { pictures: 3 },
      convention: 'peak=255; error=mean over channels and pixels; mean=of decibels',
    });
    const { value, standardError } = structuralSimilarity(pairs);
    const values = structuralSimilarityOf(pairs);
    const mean = values.reduce((sum, one) => sum + one, 0) / 3;
    expect(value).toBeCloseTo(mean, 12);
    expect(standardError).toBeCloseTo(Math.sqrt(values.reduce((sum, one) => sum + (one - mean) ** 2, 0) / 2 / 3), 12);
  });

  it('refuse pictures that are no pairs, or smaller than the window', () => {
    expect(() => peakSignalToNoiseOf({ pictures: noise, originals: noise.subarray(1), shape })).toThrow(
      'Expected `pictures` and `originals` to be [count, 1, 16, 16]; got 512 and 511 bytes. In metrics/peak-signal-to-noise.',
    );
    const tiny = { pictures: noise, originals: noise, shape: [1, 8, 8] as const };
    expect(() => structuralSimilarityOf(tiny)).toThrow(
      'Expected sides of at least 11 pixels; got 8 x 8. In metrics/structural-similarity.',
    );
  });
});
