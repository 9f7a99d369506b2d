import { describe, expect, it } from 'vitest';
import { philox4x32 } from '../../src/numerics/philox.ts';

function words(counter: readonly number[], key: readonly number[]): string {
  const out = new Uint32Array(4);
  philox4x32({ counter, key }, out);
  return Array.from(out, (word) => word.toString(16).padStart(8, '0')).join(' ');
}

const ALL = 0xffffffff;

describe('Philox 4x32-10', () => {
  // The three philox4x32 vectors with 10 rounds of the file kat_vectors in the Random123 distribution, by its authors.
  it.each([
    { counter: [0, 0, 0, 0], key: [0, 0], expected: '6627e8d5 e169c58d bc57ac4c 9b00dbd8' },
    { counter: [ALL, ALL, ALL, ALL], key: [ALL, ALL], expected: '408f276d 41c83b0e a20bc7c6 6d5451fd' },
    {
      counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      key: [0xa4093822, 0x299f31d0],
      expected: 'd16cfe09 94fdcceb 5001e420 24126ea1',
    },
  ])('gives the known answer $expected of Random123', ({ counter, key, expected }) => {
    expect(words(counter, key)).toBe(expected);
  });

  it('agrees with 64-bit integer arithmetic on arbitrary inputs', () => {
    const mask = 0xffffffffn;
    const reference = (counter: readonly number[], key: readonly number[]): string => {
      let [x0, x1, x2, x3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint]; // four words by construction
      let [k0, k1] = key.map(BigInt) as [bigint, bigint]; // two words by construction
      for (let round = 0; round < 10; round++) {
        const p0 = x0 * 0xd2511f53n;
        const p1 = x2 * 0xcd9e8d57n;
        [x0, x1, x2, x3] = [(p1 >> 32n) ^ x1 ^ k0, p1 & mask, (p0 >> 32n) ^ x3 ^ k1, p0 & mask];
        k0 = (k0 + 0x9e3779b9n) & mask;
        k1 = (k1 + 0xbb67ae85n) & mask;
      }
      return [x0, x1, x2, x3].map((word) => word.toString(16).padStart(8, '0')).join(' ');
    };
    let state = 1;
    const word = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state;
    };
    for (let i = 0; i < 500; i++) {
      const counter = [word(), word(), word(), word()];
      const key = [word(), word()];
      expect(words(counter, key)).toBe(reference(counter, key));
    }
  });
});
