import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { describeConvention, type Metric, metricColumn } from '../../src/metrics/metric.ts';

function metric(convention: string, more: Partial<Metric> = {}): Metric {
  const samples = { generated: 10 };
  return { name: 'precision', value: 0.5, unit: 'fraction', samples, standardError: null, convention, ...more };
}

describe('metrics side by side', () => {
  it('make a column if they are measured alike', () => {
    const metrics = [metric('k=3; radius=at-most'), metric('k=3; radius=at-most', { value: 0.7 })];
    const convention = 'k=3; radius=at-most';
    expect(metricColumn(metrics)).toEqual({ name: 'precision', unit: 'fraction', convention, metrics });
  });

  it('are refused otherwise, with what differs', () => {
    expect(() => metricColumn([metric('k=3; radius=at-most'), metric('k=5; radius=at-most')])).toThrow(
      'Expected metrics of one column to be alike: precision with k=3; got precision with k=5.',
    );
    expect(() => metricColumn([metric('k=3'), metric('k=3', { name: 'recall' })])).toThrow(ConfigError);
    expect(() => metricColumn([metric('k=3'), metric('k=3', { unit: '%' })])).toThrow('precision with %');
    expect(() => metricColumn([])).toThrow(ConfigError);
  });

  it('have conventions that a value cannot break up', () => {
    expect(describeConvention({ features: 'a; k=3', k: 5, seed: null })).toBe('features=a, k=3; k=5; seed=none');
  });
});
