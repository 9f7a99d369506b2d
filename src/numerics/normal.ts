/** Standard normal numbers from 32-bit words, and noise batches that are functions of per-sample seeds. */

import { ShapeError } from '../errors.ts';
import { philox4x32 } from './philox.ts';
import { purposeKey } from './purpose-key.ts';

/** The purpose whose streams `normalsFromSeeds` reads: row s equals the normals of `stream(s, NOISE_PURPOSE)`. */
export const NOISE_PURPOSE = 'noise';

const QUARTER_TURN = Math.PI / 2;

/** -2 ln((word + 0.5) / 2^32) with an absolute error below 1e-15 (5e-8 at word 0), for a 32-bit word. */
function twiceNegativeLog(word: number): number {
  // With p the highest power of two in the word, w = m p and y = (m - sqrt2)/(m + sqrt2), |y| < 0.172:
  // ln m = ln sqrt2 + 2 atanh y. Word 0 has w = p/2, y = -0.48, where the series still has 8 digits.
  const zeros = Math.clz32(word | 1);
  const w = (word >>> 0) + 0.5;
  const pivot = Math.SQRT2 * (0x80000000 >>> zeros);
  const y = (w - pivot) / (w + pivot);
  const s = y * y;
  let sum = 1 / 17 + s * (1 / 19);
  sum = 1 / 13 + s * (1 / 15 + s * sum);
  sum = 1 / 9 + s * (1 / 11 + s * sum);
  sum = 1 / 5 + s * (1 / 7 + s * sum);
  sum = 1 + s * (1 / 3 + s * sum);
  return (2 * zeros + 1) * Math.LN2 - 4 * y * sum;
}

/** sin(a)/a as a function of a^2 for |a| <= pi/4, Taylor; error below 3e-14. */
function sincTaylor(square: number): number {
  const tail = 1 / 362880 + square * (-1 / 39916800 + square * (1 / 6227020800));
  return 1 + square * (-1 / 6 + square * (1 / 120 + square * (-1 / 5040 + square * tail)));
}

/** cos(a) as a function of a^2 for |a| <= pi/4, Taylor; error below 4e-13. */
function cosTaylor(square: number): number {
  const tail = 1 / 40320 + square * (-1 / 3628800 + square * (1 / 479001600));
  return 1 + square * (-1 / 2 + square * (1 / 24 + square * (-1 / 720 + square * tail)));
}

/**
 * Writes two independent standard normals made of two independent uniform 32-bit words, by Box and Muller:
 * (radius cos angle, radius sin angle), radius = sqrt(-2 ln((first + 0.5) / 2^32)), angle uniform on the circle.
 *
 * The low 30 bits of `second` choose a in (-pi/4, pi/4); bit 30 mirrors the point at the vertical axis and bit 31 at the
 * diagonal, which covers the circle evenly. Logarithm and angle functions are written out in IEEE additions,
 * multiplications, divisions and one square root, so the result has the same bits on every JavaScript engine
 * (`Math.log` and `Math.cos` may differ in the last place). Error before rounding: below 1e-8; largest magnitude: 6.76.
 *
 * Source: [box:58].
 */
export function writeNormalPair(
  words: { readonly first: number; readonly second: number },
  out: Float32Array | Float64Array,
  offset: number,
): void {
  const second = words.second;
  const radius = Math.sqrt(twiceNegativeLog(words.first));
  const angle = ((second & 0x3fffffff) - 0x1fffffff - 0.5) * (QUARTER_TURN / 0x40000000);
  const square = angle * angle;
  const swap = second >>> 31;
  out[offset + swap] = radius * cosTaylor(square) * (1 - ((second >>> 29) & 2));
  out[offset + (swap ^ 1)] = radius * angle * sincTaylor(square);
}

/** Scratch memory of one call, so that the inner loop allocates nothing. */
interface Scratch {
  readonly counter: Int32Array;
  readonly key: Int32Array;
  readonly words: Int32Array;
  readonly pair: { first: number; second: number };
}

/** Writes the four normals of block `scratch.counter` of sequence `scratch.key`. */
function writeBlock(scratch: Scratch, out: Float32Array, offset: number): void {
  const { words, pair } = scratch;
  philox4x32(scratch, words);
  pair.first = words[0]!;
  pair.second = words[1]!;
  writeNormalPair(pair, out, offset);
  pair.first = words[2]!;
  pair.second = words[3]!;
  writeNormalPair(pair, out, offset + 2);
}

/**
 * Standard normal noise for a batch, each row a function of its own seed alone: element i of a row is normal i of
 * `stream(seed, 'noise')`, whatever the batch, the row's place in it and the number of elements.
 *
 * Sources: [salmon:11], [box:58].
 * @param seeds     uint32 [count].
 * @param elements  numbers per row, >= 0.
 * @param out       float32 [count, elements], overwritten and returned; a new array by default.
 * @returns float32 [count, elements].
 * @throws ShapeError if `elements` is not a count or `out` has another length.
 */
export function normalsFromSeeds(
  seeds: Uint32Array,
  elements: number,
  out: Float32Array = new Float32Array(seeds.length * checkedCount(elements)),
): Float32Array {
  if (out.length !== seeds.length * checkedCount(elements)) {
    throw new ShapeError({
      expected: `\`out\` to be [count, elements] = [${seeds.length}, ${elements}]`,
      got: `${out.length} numbers`,
      where: 'numerics/normal normalsFromSeeds',
    });
  }
  const key = new Int32Array([0, purposeKey(NOISE_PURPOSE)]);
  const scratch = { counter: new Int32Array(4), key, words: new Int32Array(4), pair: { first: 0, second: 0 } };
  const lastBlock = new Float32Array(4);
  const whole = elements >>> 2;
  for (let row = 0; row < seeds.length; row++) {
    const start = row * elements;
    key[0] = seeds[row]!;
    for (let block = 0; block < whole; block++) {
      scratch.counter[0] = block;
      writeBlock(scratch, out, start + 4 * block);
    }
    if (4 * whole === elements) continue;
    scratch.counter[0] = whole;
    writeBlock(scratch, lastBlock, 0);
    for (let i = 4 * whole; i < elements; i++) out[start + i] = lastBlock[i - 4 * whole]!;
  }
  return out;
}

function checkedCount(elements: number): number {
  if (Number.isInteger(elements) && elements >= 0 && elements < 2 ** 32) return elements;
  throw new ShapeError({
    expected: '`elements` to be an integer in [0, 2^32)',
    got: String(elements),
    where: 'numerics/normal normalsFromSeeds',
  });
}
