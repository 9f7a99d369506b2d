import { describe, expect, it } from 'vitest';
import { decodeFloat16, float16ToFloat32, float32ToFloat16 } from '../../src/formats/half-precision.ts';
import { stream } from '../../src/numerics/stream.ts';

const everyPattern = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

function stored(value: number): number {
  return decodeFloat16(float32ToFloat16(Float32Array.of(value))[0]!);
}

describe('float32 to float16', () => {
  it('gives every pattern back, but for the many that are no numbers', () => {
    const values = float16ToFloat32(everyPattern);
    const again = float32ToFloat16(values);
    const changed = everyPattern.filter((bits) => again[bits] !== bits && !Number.isNaN(values[bits]!));
    expect(Array.from(changed)).toEqual([]);
    expect(Number.isNaN(stored(Number.NaN))).toBe(true);
  });

  it('takes the nearest of two neighbours, and halves to the even pattern', () => {
    for (let bits = 0; bits < 0x7bff; bits += 1) {
      const [low, high] = [decodeFloat16(bits), decodeFloat16(bits + 1)];
      const half = (low + high) / 2;
      const quarter = low + (high - low) / 4;
      expect(stored(half)).toBe(bits % 2 === 0 ? low : high);
      expect(stored(-half)).toBe(bits % 2 === 0 ? -low : -high);
      expect(stored(quarter)).toBe(low);
    }
  });

  it('has a relative error of at most 2^-11 above 2^-14, and an error of at most 2^-25 below', () => {
    const random = stream(1, 'half-precision');
    for (let i = 0; i < 20_000; i++) {
      const value = Math.fround((random.uniform() - 0.5) * 2 ** Math.floor(random.uniform() * 40 - 24));
      const error = Math.abs(stored(value) - value);
      expect(error).toBeLessThanOrEqual(Math.max(2 ** -25, Math.abs(value) * 2 ** -11));
    }
  });

  it('becomes infinite from 65520 on', () => {
    expect(stored(65519.99)).toBe(65504);
    expect(stored(65520)).toBe(Number.POSITIVE_INFINITY);
    expect(stored(-1e30)).toBe(Number.NEGATIVE_INFINITY);
    expect(stored(1e-45)).toBe(0);
  });
});
