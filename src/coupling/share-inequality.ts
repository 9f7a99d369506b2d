/** How unequal the shares of the data are, told from how often noises collide. */
import type { ChiSquared } from './coupling.ts';

/**
 * The chi-squared divergence n sum_i p_i^2 - 1 of the shares p_i of n data from equal ones, without bias, by pairs of N noises that meet the same
 * datum: n sum_i c_i (c_i - 1) / (N (N - 1)) - 1. Its standard error is that of a U-statistic of two arguments,
 * Var = n^2 (4 (N - 2) a + 2 b) / (N (N - 1)) with a = sum p^3 - (sum p^2)^2 and b = sum p^2 - (sum p^2)^2 ([hoeffding:48], section 5),
 * the sums estimated by factorial moments of the counts.
 * @param counts  noises that each datum met, at least 3 in all: [n].
 */
export function chiSquaredOfCounts(counts: ArrayLike<number>): ChiSquared {
  const n = counts.length;
  let [noises, pairs, triples] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const count = counts[i]!;
    noises += count;
    pairs += count * (count - 1);
    triples += count * (count - 1) * (count - 2);
  }
  const squares = pairs / (noises * (noises - 1));
  const cubes = triples / (noises * (noises - 1) * (noises - 2));
  const a = Math.max(0, cubes - squares * squares);
  const b = squares - squares * squares;
  const variance = (4 * (noises - 2) * a + 2 * b) / (noises * (noises - 1));
  return { value: n * squares - 1, standardError: n * Math.sqrt(variance) };
}
