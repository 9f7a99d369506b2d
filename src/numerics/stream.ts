/** Streams of random numbers, named by what they are for. */

import { ConfigError } from '../errors.ts';
import { writeNormalPair } from './normal.ts';
import { philox4x32 } from './philox.ts';
import { purposeKey } from './purpose-key.ts';

/** A sequence of random numbers. Each method takes the next words of the same sequence; a stream is used by one owner. */
export interface RandomStream {
  /** Next word, an integer in [0, 2^32). Takes one word. */
  uint32(): number;
  /** Uniform number in the open interval (0, 1): an odd multiple of 2^-53. Takes two words. Rounded to float32 it may become 1. */
  uniform(): number;
  /** Uniform number in the open interval (0, 1) that float32 holds exactly: an odd multiple of 2^-24. Takes one word. */
  uniformFloat32(): number;
  /**
   * Uniform integer in [0, n), without bias (words in the incomplete last run of n are drawn again).
   * @throws ConfigError if n is not an integer in [1, 2^32].
   */
  below(n: number): number;
  /** Standard normal number (see `normal.ts`). Takes two words for every two numbers. */
  normal(): number;
}

/** Words of Philox for one key, counting blocks from zero in the counter's lowest word. */
function wordSource(key: Uint32Array, counter: Uint32Array): () => number {
  const words = new Uint32Array(4);
  let used = 4;
  return () => {
    if (used === 4) {
      philox4x32({ counter, key }, words);
      counter[0]!++;
      if (counter[0] === 0) counter[1]!++;
      used = 0;
    }
    return words[used++]!;
  };
}

function checkedInteger(
  value: number,
  limit: { readonly name: string; readonly least: number; readonly most: number },
) {
  if (Number.isInteger(value) && value >= limit.least && value <= limit.most) return value;
  throw new ConfigError({
    expected: `\`${limit.name}\` to be an integer in [${limit.least}, ${limit.most}]`,
    got: String(value),
    where: 'numerics/stream',
  });
}

/**
 * The random stream of `(seed, purpose, index)`: the same three always give the same numbers, and streams that differ in
 * any of them are independent. Nothing else has to be stored to resume: derive `index` from images seen.
 *
 * Philox 4x32-10 with key (seed, FNV-1a of the purpose) and counter (block, 0, index mod 2^32, index div 2^32).
 * Source: [salmon:11].
 * @param seed     integer in [0, 2^32).
 * @param purpose  what the numbers are for, such as 'noise' or 'data-order'.
 * @param index    which of the purpose's streams, integer in [0, 2^53).
 * @throws ConfigError if seed or index is out of range.
 */
export function stream(seed: number, purpose: string, index = 0): RandomStream {
  checkedInteger(seed, { name: 'seed', least: 0, most: 0xffffffff });
  checkedInteger(index, { name: 'index', least: 0, most: Number.MAX_SAFE_INTEGER });
  const key = Uint32Array.of(seed, purposeKey(purpose));
  const next = wordSource(key, Uint32Array.of(0, 0, index, Math.floor(index / 2 ** 32)));
  const pair = new Float64Array(2);
  let spare = false;
  return {
    uint32: next,
    uniform: () => ((next() >>> 6) * 2 ** 26 + (next() >>> 6) + 0.5) * 2 ** -52,
    uniformFloat32: () => ((next() >>> 9) + 0.5) * 2 ** -23,
    below(n) {
      checkedInteger(n, { name: 'n', least: 1, most: 2 ** 32 });
      const end = 2 ** 32 - (2 ** 32 % n);
      let word = next();
      while (word >= end) word = next();
      return word % n;
    },
    normal() {
      spare = !spare;
      if (!spare) return pair[1]!;
      writeNormalPair({ first: next(), second: next() }, pair, 0);
      return pair[0]!;
    },
  };
}
