import { describe, expect, it } from 'vitest';
import { hostClosedForm, logDensity, statisticsOfFeatures } from '../src/index.ts';

describe('the public API', () => {
  it('gives the log-density of the path of one datum, which is that of a normal distribution', async () => {
    const datum = Float32Array.of(1, -2, 0.5);
    const field = hostClosedForm({ count: 1, elements: 3, read: async () => datum });
    const [x, t] = [Float64Array.of(0.3, 0.1, -0.2), 0.4];
    const { logSumExp, velocity } = await field.evaluate(x, Float64Array.of(t));
    const [density] = logDensity(logSumExp, Float64Array.of(t), field);
    const squares = x.reduce((sum, value, k) => sum + (value - t * datum[k]!) ** 2, 0);
    const variance = (1 - t) ** 2;
    expect(density).toBeCloseTo(-1.5 * Math.log(2 * Math.PI * variance) - squares / (2 * variance), 12);
    for (const [k, value] of velocity.entries()) expect(value).toBeCloseTo((datum[k]! - x[k]!) / (1 - t), 12);
  });

  it('measures features', async () => {
    const values = Float64Array.of(0, 0, 2, 0, 0, 2, 2, 2);
    const set = { values, dimensions: 2, network: 'coordinates', hash: null, data: 'corners' };
    const { mean, trace } = await statisticsOfFeatures(set);
    expect([...mean]).toEqual([1, 1]);
    expect(trace).toBeCloseTo(8 / 3, 12);
  });
});
