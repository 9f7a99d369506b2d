import type { RandomStream } from './stream.ts';

/**
 * A uniformly random order of 0, ..., n - 1, by the Fisher-Yates shuffle: for i = n-1, ..., 1 swap entries i and below(i + 1).
 *
 * Source: [knuth:97], algorithm 3.4.2 P.
 * @param n  integer in [0, 2^32).
 * @returns uint32 [n].
 */
export function permutation(n: number, stream: RandomStream): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = stream.below(i + 1);
    const moved = order[i]!;
    order[i] = order[j]!;
    order[j] = moved;
  }
  return order;
}
