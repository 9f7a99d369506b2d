import { describe, expect, test } from 'vitest';
import {
  constantly,
  initializeParameters,
  normal,
  parameter,
  parameterCount,
  parameterTypes,
  truncatedNormal,
  uniform,
  xavierUniform,
} from '../../src/models/parameters.ts';

const tree = {
  blocks: [{ weight: parameter([40, 50], normal(0.02)), bias: parameter([50], constantly(0)) }],
  scale: parameter([3], constantly(1)),
};

describe('initial parameters', () => {
  test('are named by their paths and counted', () => {
    expect(Object.keys(initializeParameters(tree, 1))).toEqual(['blocks.0.weight', 'blocks.0.bias', 'scale']);
    expect(parameterCount(tree)).toBe(2053);
    expect(parameterTypes(tree)).toEqual({
      blocks: [{ weight: { dtype: 'float32', shape: [40, 50] }, bias: { dtype: 'float32', shape: [50] } }],
      scale: { dtype: 'float32', shape: [3] },
    });
  });

  test('depend on the seed and the path, and not on the other parameters', () => {
    const all = initializeParameters(tree, 1);
    const alone = initializeParameters({ blocks: [{ weight: tree.blocks[0].weight }] }, 1);
    expect(alone['blocks.0.weight']).toEqual(all['blocks.0.weight']);
    expect(initializeParameters(tree, 2)['blocks.0.weight']).not.toEqual(all['blocks.0.weight']);
    expect(initializeParameters({ other: tree.blocks }, 1)['other.0.weight']).not.toEqual(all['blocks.0.weight']);
  });

  test('follow their distributions', () => {
    const bound = Math.sqrt(6 / 90);
    const cases = [
      { initialize: normal(0.02), deviation: 0.02, largest: 0.02 * 6 },
      { initialize: uniform(0.5), deviation: 0.5 / Math.sqrt(3), largest: 0.5 },
      { initialize: xavierUniform(40, 50), deviation: bound / Math.sqrt(3), largest: bound },
      // Variance of a normal cut at two deviations: 1 - 4 phi(2) / (2 Phi(2) - 1) = 0.774.
      { initialize: truncatedNormal(1), deviation: Math.sqrt(0.7737), largest: 2 },
    ];
    for (const { initialize, deviation, largest } of cases) {
      const values = initializeParameters({ w: parameter([100, 200], initialize) }, 3).w;
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
      expect(Math.abs(mean)).toBeLessThan((4 * deviation) / Math.sqrt(values.length));
      expect(Math.sqrt(variance) / deviation).toBeCloseTo(1, 1.7);
      expect(values.every((v) => Math.abs(v) <= largest)).toBe(true);
    }
    expect(initializeParameters(tree, 1).scale).toEqual(Float32Array.of(1, 1, 1));
  });
});
