import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { purposeKey } from '../../src/numerics/purpose-key.ts';
import { type RandomStream, stream } from '../../src/numerics/stream.ts';
import { kolmogorov, lagProduct, moment, normalDistribution } from './statistics-of-samples.ts';

const draw = (count: number, next: () => number): Float64Array => Float64Array.from({ length: count }, next);
const words = (source: RandomStream, count = 8): number[] => Array.from({ length: count }, () => source.uint32());

describe('a random stream', () => {
  it('is the same for the same seed, purpose and index, and another for any other', () => {
    const base = words(stream(1, 'noise', 2));
    expect(words(stream(1, 'noise', 2))).toEqual(base);
    for (const other of [stream(2, 'noise', 2), stream(1, 'time', 2), stream(1, 'noise', 3), stream(1, 'noise')]) {
      expect(words(other).filter((word, i) => word === base[i])).toEqual([]);
    }
  });

  it('separates indices beyond 32 bits', () => {
    expect(words(stream(1, 'noise', 2 ** 32))).not.toEqual(words(stream(1, 'noise', 0)));
    expect(words(stream(1, 'noise', 2 ** 53 - 1))).toHaveLength(8);
  });

  it('names a wrong seed, index or bound', () => {
    expect(() => stream(-1, 'noise')).toThrow('Expected `seed` to be an integer in [0, 4294967295]; got -1.');
    expect(() => stream(0, 'noise', 0.5)).toThrow(ConfigError);
    expect(() => stream(0, 'noise').below(0)).toThrow('`n`');
  });

  it('hashes purposes as FNV-1a does', () => {
    expect(purposeKey('')).toBe(0x811c9dc5);
    expect(purposeKey('a')).toBe(0xe40c292c);
    expect(purposeKey('foobar')).toBe(0xbf9cf968);
  });

  it.each(['uniform', 'uniformFloat32'] as const)('%s is uniform on the open unit interval', (kind) => {
    const sample = draw(100_000, stream(3, 'test')[kind]);
    expect(Math.min(...sample.subarray(0, 50_000))).toBeGreaterThan(0);
    expect(kolmogorov(sample, (x) => x)).toBeLessThan(1.95);
    const centred = sample.map((u) => (u - 0.5) * Math.sqrt(12));
    expect(Math.abs(lagProduct(centred, 1)) * Math.sqrt(sample.length)).toBeLessThan(4);
  });

  it('uniformFloat32 is unchanged by rounding to float32', () => {
    const sample = draw(1000, stream(4, 'test').uniformFloat32);
    expect(Float64Array.from(Float32Array.from(sample))).toEqual(sample);
  });

  it.each([1, 2, 3, 10, 1000])('gives integers below %i equally often', (n) => {
    const source = stream(5, 'test');
    const trials = 50_000;
    const counts = new Float64Array(n);
    for (let i = 0; i < trials; i++) counts[source.below(n)]!++;
    const expected = trials / n;
    const chiSquared = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquared).toBeLessThan(n - 1 + 4 * Math.sqrt(2 * n) + 1);
  });

  it('gives integers below a large n without the bias of a plain remainder', () => {
    // With n = 3 * 2^30, the remainder of a 32-bit word would fall into the lowest third with probability 1/2.
    const source = stream(6, 'test');
    const lowest = draw(20_000, () => (source.below(3 * 2 ** 30) < 2 ** 30 ? 1 : 0));
    expect(Math.abs(moment(lowest, 1) - 1 / 3)).toBeLessThan(4 * Math.sqrt(2 / 9 / 20_000));
    expect(source.below(2 ** 32)).toBeLessThan(2 ** 32);
  });

  it('gives standard normals', () => {
    const sample = draw(100_000, stream(7, 'test', 9).normal);
    expect(kolmogorov(sample, normalDistribution)).toBeLessThan(1.95);
    expect(Math.abs(lagProduct(sample, 1)) * Math.sqrt(sample.length)).toBeLessThan(4);
  });
});
