import { describe, expect, it } from 'vitest';
import { ConfigError, ShapeError } from '../../src/errors.ts';
import { labelAccuracy } from '../../src/metrics/label-accuracy.ts';
import { featureSet } from './features.ts';

// Seen as 1, 0, 2 and 0, the first of equals.
const scores = featureSet(Float32Array.of(0, 2, 1, 5, 4, 4, 0, 0, 1, 3, 3, 0), 3);

describe('label accuracy', () => {
  it('counts the images that show their label, of all and of each label', () => {
    const { metric, byLabel } = labelAccuracy(scores, Int32Array.of(1, 0, 0, 0));
    expect(metric).toMatchObject({ value: 0.75, samples: { generated: 4, labels: 2 }, standardError: 0.25 });
    expect(metric.convention).toBe('classifier=test network@abc123; classes=3');
    expect(byLabel).toEqual([
      { label: 0, images: 3, accuracy: 2 / 3 },
      { label: 1, images: 1, accuracy: 1 },
    ]);
  });

  it('refuses labels that are no classes, and other counts', () => {
    expect(() => labelAccuracy(scores, Int32Array.of(1, 0, 3, 0))).toThrow(ConfigError);
    expect(() => labelAccuracy(scores, Int32Array.of(1, 0))).toThrow(ShapeError);
  });
});
