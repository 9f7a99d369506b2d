/** Philox 4x32-10, the counter-based generator under every random number of flowloom. */

// Multipliers and Weyl constants of Philox 4x32 ([salmon:11], section 4.3); the multipliers also by halves for `multiplyHigh`.
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
/** How many rounds; more or fewer make another generator. */
export const ROUNDS = 10;
/** The two multipliers and the two Weyl constants, for who writes the rounds in other terms. */
export const MULTIPLIERS = [MULTIPLIER_0, MULTIPLIER_1] as const;
export const WEYL = [WEYL_0, WEYL_1] as const;

/** Upper 32 bits of the 64-bit product `a * (high * 2^16 + low)`, as a signed 32-bit integer. */
function multiplyHigh(a: number, high: number, low: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const middle = (Math.imul(aHigh, low) + (Math.imul(aLow, low) >>> 16)) | 0;
  const carry = (Math.imul(aLow, high) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, high) + (middle >>> 16) + (carry >>> 16)) | 0;
}

/** A counter-based generator's input: which block (`counter`, four words) of which sequence (`key`, two words). */
export interface PhiloxInput {
  /** Four unsigned 32-bit words, least significant first. */
  readonly counter: ArrayLike<number>;
  /** Two unsigned 32-bit words. */
  readonly key: ArrayLike<number>;
}

/**
 * Four random 32-bit words: a bijection of the counter, chosen by the key; ten rounds of
 * (x0, x1, x2, x3) <- (hi(M1 x2) ^ x1 ^ k0, lo(M1 x2), hi(M0 x0) ^ x3 ^ k1, lo(M0 x0)).
 *
 * Source: [salmon:11]. Words are read modulo 2^32.
 * @param out  receives the words (bit patterns; an Int32Array holds them as signed) at indices 0 to 3.
 */
export function philox4x32(input: PhiloxInput, out: Uint32Array | Int32Array): void {
  let x0 = input.counter[0]! | 0;
  let x1 = input.counter[1]! | 0;
  let x2 = input.counter[2]! | 0;
  let x3 = input.counter[3]! | 0;
  let k0 = input.key[0]! | 0;
  let k1 = input.key[1]! | 0;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(x0, MULTIPLIER_0 >>> 16, MULTIPLIER_0 & 0xffff);
    const high1 = multiplyHigh(x2, MULTIPLIER_1 >>> 16, MULTIPLIER_1 & 0xffff);
    const low0 = Math.imul(x0, MULTIPLIER_0);
    const low1 = Math.imul(x2, MULTIPLIER_1);
    x0 = high1 ^ x1 ^ k0;
    x1 = low1;
    x2 = high0 ^ x3 ^ k1;
    x3 = low0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}
