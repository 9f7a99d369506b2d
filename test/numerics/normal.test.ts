import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/errors.ts';
import { NOISE_PURPOSE, normalsFromSeeds, writeNormalPair } from '../../src/numerics/normal.ts';
import { stream } from '../../src/numerics/stream.ts';
import { kolmogorov, lagProduct, moment, normalDistribution } from './statistics-of-samples.ts';

const COUNT = 1024;
const ELEMENTS = 2048;
const SEEDS = Uint32Array.from({ length: COUNT }, (_, i) => i);
const SAMPLE = normalsFromSeeds(SEEDS, ELEMENTS);
const SIZE = COUNT * ELEMENTS;

/** The value's distance from the expected one in standard errors. */
function deviations(value: number, expected: number, variance: number): number {
  return Math.abs(value - expected) / Math.sqrt(variance / SIZE);
}

describe('normals from seeds', () => {
  it('gives a row that depends on its own seed alone', () => {
    const alone = normalsFromSeeds(Uint32Array.of(7), ELEMENTS);
    expect(alone).toEqual(SAMPLE.slice(7 * ELEMENTS, 8 * ELEMENTS));
    const shuffled = normalsFromSeeds(Uint32Array.of(900, 7, 3), ELEMENTS);
    expect(shuffled.slice(ELEMENTS, 2 * ELEMENTS)).toEqual(alone);
  });

  it.each([0, 1, 2, 3, 4, 5, 17, 64])('begins a row of %i elements as any longer row', (elements) => {
    const rows = normalsFromSeeds(Uint32Array.of(5, 0xffffffff), elements);
    const longer = normalsFromSeeds(Uint32Array.of(5, 0xffffffff), 100);
    expect(rows.slice(0, elements)).toEqual(longer.slice(0, elements));
    expect(rows.slice(elements)).toEqual(longer.slice(100, 100 + elements));
  });

  it('equals the normals of the noise stream of that seed', () => {
    const numbers = stream(42, NOISE_PURPOSE);
    const expected = Float32Array.from({ length: 101 }, () => numbers.normal());
    expect(normalsFromSeeds(Uint32Array.of(42), 101)).toEqual(expected);
  });

  it('keeps its bits between versions and engines', () => {
    expect(Array.from(normalsFromSeeds(Uint32Array.of(0, 1), 3))).toMatchInlineSnapshot(`
      [
        -0.3751722574234009,
        -0.5796164870262146,
        -1.4677653312683105,
        -0.38206151127815247,
        -1.4508150815963745,
        -2.264533042907715,
      ]
    `);
  });

  it('writes into the given array and refuses another length', () => {
    const out = new Float32Array(6);
    expect(normalsFromSeeds(Uint32Array.of(1, 2), 3, out)).toBe(out);
    expect(() => normalsFromSeeds(Uint32Array.of(1, 2), 4, out)).toThrow(ShapeError);
    expect(() => normalsFromSeeds(Uint32Array.of(1), -1)).toThrow('Expected `elements` to be an integer');
  });
});

describe('the distribution of normals from seeds', () => {
  it('has the first six moments of the standard normal', () => {
    const variances = [1, 2, 15, 96, 945, 10170];
    const expected = [0, 1, 0, 3, 0, 15];
    for (let power = 1; power <= 6; power++) {
      const value = moment(SAMPLE, power);
      expect(deviations(value, expected[power - 1]!, variances[power - 1]!), `moment ${power}`).toBeLessThan(4);
    }
  });

  it('passes the test of Kolmogorov and Smirnov, over all and in rows', () => {
    expect(kolmogorov(SAMPLE, normalDistribution)).toBeLessThan(1.95);
    for (const row of [0, 1, 2, 511, 1023]) {
      const numbers = SAMPLE.slice(row * ELEMENTS, (row + 1) * ELEMENTS);
      expect(kolmogorov(numbers, normalDistribution), `row ${row}`).toBeLessThan(2.2);
    }
  });

  it('has the tails of the standard normal on both sides', () => {
    for (const limit of [2, 3, 3.5, 4, 4.5]) {
      for (const sign of [-1, 1]) {
        const count = SAMPLE.reduce((total, x) => total + (sign * x > limit ? 1 : 0), 0);
        const expected = SIZE * normalDistribution(-limit);
        expect(Math.abs(count - expected), `beyond ${sign * limit}`).toBeLessThan(4 * Math.sqrt(expected) + 1);
      }
    }
  });

  it('shows no correlation between neighbouring elements, nor between neighbouring seeds', () => {
    for (const lag of [1, 2, 3, 4, 5, 8, 16, 64, ELEMENTS, 2 * ELEMENTS, 3 * ELEMENTS]) {
      expect(Math.abs(lagProduct(SAMPLE, lag)) * Math.sqrt(SIZE), `lag ${lag}`).toBeLessThan(4);
      const squares = SAMPLE.map((x) => (x * x - 1) / Math.SQRT2);
      expect(Math.abs(lagProduct(squares, lag)) * Math.sqrt(SIZE), `squares, lag ${lag}`).toBeLessThan(4);
    }
  });

  it('shows no correlation between seeds that differ in one bit', () => {
    for (let bit = 0; bit < 32; bit++) {
      const rows = normalsFromSeeds(Uint32Array.of(0x12345678, (0x12345678 ^ (1 << bit)) >>> 0), ELEMENTS);
      expect(Math.abs(lagProduct(rows, ELEMENTS)) * Math.sqrt(ELEMENTS), `bit ${bit}`).toBeLessThan(4.2);
    }
  });
});

describe('a pair of normals', () => {
  const pairOf = (first: number, second: number): readonly [number, number] => {
    const out = new Float64Array(2);
    writeNormalPair({ first, second }, out, 0);
    return [out[0]!, out[1]!];
  };

  it('has the radius sqrt(-2 ln u), in the body and to the ends of both tails', () => {
    const words = [0, 1, 2, 3, 7, 255, 65535, 0x5a827999, 0x5a82799a, 0x7fffffff, 0x80000000, 0xb504f333, 0xfffffffe];
    for (const word of [...words, 0xffffffff]) {
      // ln u through log1p above one half, where 1 - u is exact.
      const u = (word + 0.5) / 2 ** 32;
      const logarithm = u > 0.5 ? Math.log1p((word + 0.5 - 2 ** 32) / 2 ** 32) : Math.log(u);
      const [x, y] = pairOf(word, 12345);
      expect(Math.abs(Math.hypot(x, y) - Math.sqrt(-2 * logarithm)), `word ${word}`).toBeLessThan(1e-8);
    }
  });

  it('lies on the circle at the angle of its second word', () => {
    const radius = Math.hypot(...pairOf(1000, 0));
    for (let k = 0; k < 4096; k++) {
      const second = (k * 1048576 + 54321) >>> 0;
      const angle = ((((second & 0x3fffffff) + 0.5) / 2 ** 30 - 0.5) * Math.PI) / 2;
      const mirror = second & 0x40000000 ? -1 : 1;
      const point = [radius * Math.cos(angle) * mirror, radius * Math.sin(angle)] as const;
      const [x, y] = pairOf(1000, second);
      const [expectedX, expectedY] = second >= 0x80000000 ? [point[1], point[0]] : point;
      expect(Math.abs(x - expectedX) + Math.abs(y - expectedY)).toBeLessThan(1e-10);
    }
  });
});
