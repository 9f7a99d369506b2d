/** Damaged copies of a file for fuzz tests, a function of the seed. */

import { type RandomStream, stream } from '../../src/numerics/stream.ts';

/** One edit of a file's bytes. */
type Edit = (bytes: Uint8Array, random: RandomStream) => Uint8Array;

const overwriteByte: Edit = (bytes, random) => {
  const copy = bytes.slice();
  if (copy.length > 0) copy[random.below(copy.length)] = random.below(256);
  return copy;
};

const flipBit: Edit = (bytes, random) => {
  const copy = bytes.slice();
  if (copy.length > 0) copy[random.below(copy.length)]! ^= 1 << random.below(8);
  return copy;
};

const truncate: Edit = (bytes, random) => bytes.slice(0, random.below(bytes.length + 1));

const remove: Edit = (bytes, random) => {
  const from = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, from + 1 + random.below(8));
  return Uint8Array.of(...bytes.subarray(0, from), ...bytes.subarray(to));
};

const insertText: Edit = (bytes, random) => {
  const texts = ['"', '{', '}', '[', ']', ':', ',', '0', '9', '99999999999', '-', 'null', '\\', '1e308', '(', ')', "'"];
  const text = new TextEncoder().encode(texts[random.below(texts.length)]!);
  const at = random.below(bytes.length + 1);
  return Uint8Array.of(...bytes.subarray(0, at), ...text, ...bytes.subarray(at));
};

const repeatPart: Edit = (bytes, random) => {
  const from = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, from + random.below(64));
  return Uint8Array.of(...bytes.subarray(0, to), ...bytes.subarray(from));
};

const extremeWord: Edit = (bytes, random) => {
  const copy = bytes.slice();
  const words = [0, 1, 0x7f, 0xff];
  const byte = words[random.below(words.length)]!;
  const at = random.below(bytes.length + 1);
  copy.fill(byte, at, at + [2, 4, 8][random.below(3)]!);
  return copy;
};

const EDITS = [overwriteByte, flipBit, truncate, remove, insertText, repeatPart, extremeWord] as const;

/** `bytes` after one to four edits chosen by the seed; edits fall on the first 400 bytes half of the time. */
export function mutated(bytes: Uint8Array, seed: number): Uint8Array {
  const random = stream(seed, 'mutation');
  let result = bytes;
  const edits = 1 + random.below(4);
  for (let i = 0; i < edits; i++) {
    const edit = EDITS[random.below(EDITS.length)]!;
    const head = random.below(2) === 0 ? Math.min(400, result.length) : result.length;
    const changed = edit(result.subarray(0, head), random);
    const joined = new Uint8Array(changed.length + result.length - head);
    joined.set(changed);
    joined.set(result.subarray(head), changed.length);
    result = joined;
  }
  return result;
}
