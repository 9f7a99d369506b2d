import fc from 'fast-check';
import { expect, it } from 'vitest';
import { permutation } from '../../src/numerics/permutation.ts';
import { stream } from '../../src/numerics/stream.ts';

it('a permutation holds every index once', () => {
  fc.assert(
    fc.property(fc.nat(300), fc.nat(), (n, seed) => {
      const sorted = permutation(n, stream(seed, 'test')).sort();
      expect(Array.from(sorted)).toEqual(Array.from({ length: n }, (_, i) => i));
    }),
    { seed: 1, numRuns: 100 },
  );
});

it('a permutation is a function of its stream', () => {
  expect(permutation(50, stream(1, 'order', 3))).toEqual(permutation(50, stream(1, 'order', 3)));
  expect(permutation(50, stream(1, 'order', 3))).not.toEqual(permutation(50, stream(1, 'order', 4)));
});

it('the 24 orders of four come equally often', () => {
  const source = stream(8, 'test');
  const counts = new Map<string, number>();
  const trials = 24_000;
  for (let i = 0; i < trials; i++) {
    const order = permutation(4, source).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(counts.size).toBe(24);
  const chiSquared = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  expect(chiSquared).toBeLessThan(23 + 4 * Math.sqrt(46));
});
