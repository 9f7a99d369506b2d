/** Feature sets for the tests of metrics. */
import type { FeatureSet } from '../../src/metrics/feature-set.ts';
import { stream } from '../../src/numerics/stream.ts';

/** Values as features of the network that all tests use. */
export function featureSet(values: Float32Array | Float64Array, dimensions: number, data = 'test data'): FeatureSet {
  return { network: 'test network', hash: 'abc123', data, values, dimensions };
}

export interface NormalOptions {
  readonly count: number;
  readonly dimensions: number;
  readonly mean?: number;
  readonly deviation?: number;
  readonly seed?: number;
  readonly index?: number;
}

/** Independent normal features. */
export function normalFeatures(options: NormalOptions): FeatureSet {
  const { count, dimensions, mean = 0, deviation = 1, seed = 1, index = 0 } = options;
  const random = stream(seed, 'test-features', index);
  const values = Float32Array.from({ length: count * dimensions }, () => mean + deviation * random.normal());
  return featureSet(values, dimensions);
}

/** The same features, turned by the reflection at the plane across an axis, in float64. */
export function reflected(set: FeatureSet, axis: Float64Array): FeatureSet {
  const { values, dimensions } = set;
  const squares = axis.reduce((sum, value) => sum + value * value, 0);
  const turned = Float64Array.from(values);
  for (let start = 0; start < turned.length; start += dimensions) {
    let along = 0;
    for (let k = 0; k < dimensions; k++) along += turned[start + k]! * axis[k]!;
    for (let k = 0; k < dimensions; k++) turned[start + k] = turned[start + k]! - (2 * along * axis[k]!) / squares;
  }
  return { ...set, values: turned };
}

/** Mean and standard deviation (n - 1). */
export function meanAndDeviation(values: readonly number[]): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)) };
}

/** Mean claimed standard error over the deviation of the values that it was claimed for: about 1 where the claim is right. */
export function claimedOverTrue(
  metrics: readonly { readonly value: number; readonly standardError: number | null }[],
): number {
  const claimed = meanAndDeviation(metrics.map(({ standardError }) => standardError!)).mean;
  return claimed / meanAndDeviation(metrics.map(({ value }) => value)).deviation;
}
