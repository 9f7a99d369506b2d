/**
 * mulberry32: the small generator that the golden files use for their inputs, so that any language can make them again
 * bit by bit. Not for training or sampling: its period is 2^32 and its streams overlap (see `stream.ts` for those).
 */

/**
 * Sequence of numbers in [0, 1), multiples of 2^-32, starting from a 32-bit seed:
 * a <- a + 0x6D2B79F5; t = (a ^ a>>>15)(1 | a); t = (t + (t ^ t>>>7)(61 | t)) ^ t; u = (t ^ t>>>14) / 2^32, modulo 2^32.
 *
 * @param seed  integer, read modulo 2^32.
 */
export function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The first `count` numbers of `mulberry32(seed)`, float64 [count]; golden arrays are filled with them row by row. */
export function mulberry32Array(seed: number, count: number): Float64Array {
  const next = mulberry32(seed);
  return Float64Array.from({ length: count }, next);
}
