/** The noise of seeds inside a graph: what `numerics/normal.ts` does on the host, in integer and float64 operations, to the bit. */
import {
  add,
  bitwiseAnd,
  bitwiseXor,
  cast,
  constant,
  constantTensor,
  divide,
  greaterOrEqual,
  multiply,
  negate,
  reshape,
  select,
  sliceAxis,
  sqrt,
  stack,
  subtract,
} from '../engine/ops.ts';
import type { Tensor } from '../engine/tensor.ts';
import { NOISE_PURPOSE } from '../numerics/normal.ts';
import { MULTIPLIERS, ROUNDS, WEYL } from '../numerics/philox.ts';
import { purposeKey } from '../numerics/purpose-key.ts';

/** Words are int64 in [0, 2^32); products of a word and a half are below 2^48. */
const HALF = 0x10000;
const LOW_HALF = 0xffff;
const WORD = 0xffffffff;

interface Product {
  readonly high: Tensor;
  readonly low: Tensor;
}

/** Upper and lower word of word · factor. */
function multiplyWords(word: Tensor, factor: number): Product {
  const low = multiply(bitwiseAnd(word, LOW_HALF), factor);
  const middle = add(multiply(divide(word, HALF), factor), divide(low, HALF));
  const shifted = multiply(bitwiseAnd(middle, LOW_HALF), HALF);
  return { high: divide(middle, HALF), low: add(shifted, bitwiseAnd(low, LOW_HALF)) };
}

/** Four words of each block: `philox4x32` for counters (block, 0, 0, 0) and keys (seed, purpose). Source: [salmon:11]. */
function philoxWords(seeds: Tensor, blocks: number): readonly Tensor[] {
  const zero = constantTensor([0], [1, 1], 'int64');
  const numbers = Array.from({ length: blocks }, (_, block) => block);
  let x: readonly Tensor[] = [constantTensor(numbers, [1, blocks], 'int64'), zero, zero, zero];
  const purpose = purposeKey(NOISE_PURPOSE);
  for (let round = 0; round < ROUNDS; round++) {
    const first = bitwiseAnd(add(seeds, (round * WEYL[0]) % 2 ** 32), WORD);
    const second = (purpose + round * WEYL[1]) % 2 ** 32;
    const a = multiplyWords(x[0]!, MULTIPLIERS[0]);
    const b = multiplyWords(x[2]!, MULTIPLIERS[1]);
    x = [bitwiseXor(bitwiseXor(b.high, x[1]!), first), b.low, bitwiseXor(bitwiseXor(a.high, x[3]!), second), a.low];
  }
  return x;
}

/** The highest power of two in words of at least 1, int64, and its exponent. */
function highestPower(word: Tensor): { readonly power: Tensor; readonly exponent: Tensor } {
  let rest = word;
  let power: Tensor = constant(1, 'int64');
  let exponent: Tensor = constant(0, 'int64');
  for (const shift of [16, 8, 4, 2, 1]) {
    const isAbove = greaterOrEqual(rest, 2 ** shift);
    rest = select(isAbove, divide(rest, 2 ** shift), rest);
    power = select(isAbove, multiply(power, 2 ** shift), power);
    exponent = select(isAbove, add(exponent, shift), exponent);
  }
  return { power, exponent };
}

/** c0 + s (c1 + s (c2 + ...)), in this order of operations. */
function polynomial(s: Tensor, coefficients: readonly number[]): Tensor {
  const last = constant(coefficients.at(-1)!, 'float64');
  return coefficients.slice(0, -1).reduceRight((sum, coefficient) => add(multiply(s, sum), coefficient), last);
}

/** -2 ln((word + 0.5) / 2^32), float64, as `twiceNegativeLog` has it. */
function twiceNegativeLog(word: Tensor): Tensor {
  const isZero = greaterOrEqual(0, word);
  const { power, exponent } = highestPower(select(isZero, 1, word));
  const w = add(cast(word, 'float64'), 0.5);
  const pivot = multiply(cast(power, 'float64'), Math.SQRT2);
  const y = divide(subtract(w, pivot), add(w, pivot));
  const odd = Array.from({ length: 10 }, (_, i) => 1 / (2 * i + 1));
  const sum = polynomial(multiply(y, y), odd);
  const zeros = subtract(63, multiply(cast(exponent, 'float64'), 2)); // 2 · leading zeros + 1
  return subtract(multiply(zeros, Math.LN2), multiply(multiply(y, 4), sum));
}

const SINC = [1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800, 1 / 6227020800];
const COSINE = [1, -1 / 2, 1 / 24, -1 / 720, 1 / 40320, -1 / 3628800, 1 / 479001600];

/** Whether bit `bit` is set. */
function hasBit(word: Tensor, bit: number): Tensor {
  return greaterOrEqual(bitwiseAnd(word, 2 ** bit), 1);
}

/** Two normals of each pair of words, float64 [..., 2], as `writeNormalPair` has them. Source: [box:58]. */
function normalPairs(first: Tensor, second: Tensor): Tensor {
  const radius = sqrt(twiceNegativeLog(first));
  const offset = subtract(cast(bitwiseAnd(second, 0x3fffffff), 'float64'), 0x1fffffff);
  const angle = multiply(subtract(offset, 0.5), Math.PI / 2 / 0x40000000);
  const square = multiply(angle, angle);
  const cosine = multiply(radius, polynomial(square, COSINE));
  const along = select(hasBit(second, 30), negate(cosine), cosine);
  const across = multiply(multiply(radius, angle), polynomial(square, SINC));
  const isSwapped = hasBit(second, 31);
  return stack([select(isSwapped, across, along), select(isSwapped, along, across)], first.shape.length);
}

/**
 * Standard normal noise, each row a function of its own seed alone: `normalsFromSeeds` as a graph, with the same bits.
 *
 * Sources: [salmon:11], [box:58].
 * @param seeds     int64 [batch], read modulo 2^32.
 * @param elements  numbers a row, >= 1.
 * @returns float32 [batch, elements].
 */
export function noiseFromSeeds(seeds: Tensor, elements: number): Tensor {
  const [batch] = seeds.shape;
  const blocks = Math.ceil(elements / 4);
  const words = philoxWords(bitwiseAnd(reshape(seeds, [batch!, 1]), WORD), blocks);
  const pair = (a: number, b: number) => stack([words[a]!, words[b]!], 2); // [batch, blocks, 2]
  const normals = normalPairs(pair(0, 2), pair(1, 3)); // [batch, blocks, 2, 2]
  const rows = reshape(cast(normals, 'float32'), [batch!, 4 * blocks]);
  return 4 * blocks === elements ? rows : sliceAxis(rows, 1, 0, elements);
}
