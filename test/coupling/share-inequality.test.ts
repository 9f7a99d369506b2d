import { expect, it } from 'vitest';
import { chiSquaredOfCounts } from '../../src/coupling/share-inequality.ts';
import { stream } from '../../src/numerics/stream.ts';

/** Counts of noises that fall on data with the given shares. */
function drawn(shares: readonly number[], noises: number, index: number): Uint32Array {
  const random = stream(3, 'shares', index);
  const counts = new Uint32Array(shares.length);
  for (let noise = 0; noise < noises; noise++) {
    let left = random.uniform();
    let datum = 0;
    while (datum < shares.length - 1 && left >= shares[datum]!) left -= shares[datum++]!;
    counts[datum]! += 1;
  }
  return counts;
}

it.each([
  ['equal', Array.from({ length: 20 }, () => 1 / 20)],
  ['unequal', Array.from({ length: 20 }, (_, i) => (i + 1) / 210)],
  ['one large', [0.5, ...Array.from({ length: 10 }, () => 0.05)]],
])('chi-squared of %s shares has no bias, and its standard error is its spread', (_name, shares) => {
  const truth = shares.length * shares.reduce((sum, share) => sum + share * share, 0) - 1;
  const trials = Array.from({ length: 4000 }, (_, index) => chiSquaredOfCounts(drawn(shares, 60, index)));
  const mean = trials.reduce((sum, { value }) => sum + value, 0) / trials.length;
  const variance = trials.reduce((sum, { value }) => sum + (value - mean) ** 2, 0) / (trials.length - 1);
  expect(Math.abs(mean - truth)).toBeLessThan(4 * Math.sqrt(variance / trials.length));
  const stated = trials.reduce((sum, { standardError }) => sum + standardError ** 2, 0) / trials.length;
  expect(stated / variance).toBeGreaterThan(0.85);
  // Of equal shares the first term is 0, and its estimate is cut off there.
  expect(stated / variance).toBeLessThan(1.35);
});
