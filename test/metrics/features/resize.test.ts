import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { interpret } from '../../../src/engine/interpreter.ts';
import { tensorType, trace } from '../../../src/engine/trace.ts';
import {
  imageResizeWeights,
  type ResizeKind,
  resizeImages,
  resizeKinds,
} from '../../../src/metrics/features/resize.ts';
import { mulberry32Array } from '../../../src/numerics/mulberry32.ts';

interface GoldenResize {
  readonly kind: ResizeKind;
  readonly shape: readonly [number, number];
  readonly size: readonly [number, number];
  readonly seed: number;
  readonly output: readonly number[];
}

const goldens: { readonly cases: readonly GoldenResize[] } = JSON.parse(
  readFileSync(new URL('../../golden/resize.json', import.meta.url), 'utf8'),
);

describe('resizeImages', () => {
  it.each(goldens.cases)(
    '$kind of $shape to $size agrees with its framework',
    ({ kind, shape, size, seed, output }) => {
      const image = mulberry32Array(seed, shape[0] * shape[1]);
      const graph = trace((x) => resizeImages(x, kind, size), tensorType([1, 1, ...shape], 'float64'));
      const resized = interpret(graph, { input: image }).output;
      const differences = output.map((value, i) => Math.abs(value - Number(resized[i])));
      expect(Math.max(...differences)).toBeLessThan(1e-12);
    },
  );

  it('leaves images of the wanted size alone', () => {
    const graph = trace((x) => resizeImages(x, 'bicubic', [4, 6]), tensorType([2, 3, 4, 6]));
    expect(graph.calls).toEqual([]);
  });
});

describe('imageResizeWeights', () => {
  it.each(resizeKinds)('%s keeps constant images constant', (kind) => {
    for (const [from, to] of [
      [28, 299],
      [299, 28],
      [1, 5],
    ]) {
      const weights = imageResizeWeights(kind, from, to);
      for (let i = 0; i < to; i++) {
        const sum = weights.subarray(i * from, (i + 1) * from).reduce((total, weight) => total + weight, 0);
        expect(sum).toBeCloseTo(1, 12);
      }
    }
  });

  it('tf1-bilinear keeps the first pixel in its corner, and bilinear centres images', () => {
    expect([...imageResizeWeights('tf1-bilinear', 2, 4)]).toEqual([1, 0, 0.5, 0.5, 0, 1, 0, 1]);
    expect([...imageResizeWeights('bilinear', 2, 4)]).toEqual([1, 0, 0.75, 0.25, 0.25, 0.75, 0, 1]);
  });
});
