import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { balanceMetric, divergenceFromUniform } from '../../src/metrics/balance.ts';
import { stream } from '../../src/numerics/stream.ts';
import { claimedOverTrue } from './features.ts';

describe('balance', () => {
  it('is 0 for equal shares, log K for one value, and the formula between', () => {
    expect(divergenceFromUniform([7, 7, 7])).toBeCloseTo(0, 15);
    expect(divergenceFromUniform([9, 0, 0, 0])).toBeCloseTo(Math.log(4), 14);
    expect(divergenceFromUniform([67, 33])).toBeCloseTo(0.67 * Math.log(1.34) + 0.33 * Math.log(0.66), 14);
  });

  it('has a standard error like the deviation over draws', () => {
    const metrics = Array.from({ length: 100 }, (_, seed) => {
      const random = stream(seed, 'balance');
      const attribute = Int32Array.from({ length: 300 }, () => (random.uniform() < 0.7 ? 0 : 1 + random.below(2)));
      return balanceMetric(attribute, { attribute: 'kind', values: 3 });
    });
    expect(claimedOverTrue(metrics)).toBeGreaterThan(0.8);
    expect(claimedOverTrue(metrics)).toBeLessThan(1.25);
  });

  it('refuses no images and values that are none of the attribute', () => {
    expect(() => balanceMetric(new Int32Array(0), { attribute: 'kind', values: 3 })).toThrow('no image');
    expect(() => balanceMetric(Int32Array.of(0, 3), { attribute: 'kind', values: 3 })).toThrow(ConfigError);
  });
});
