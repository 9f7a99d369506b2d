/** Tensors of golden files: filled by rule instead of stored, and gradients by their sums. */
import { expect } from 'vitest';
import { elementCount } from '../../src/engine/shape.ts';
import { mulberry32Array } from '../../src/numerics/mulberry32.ts';

/** Filled row by row with offset + scale · (2 u - 1), u from mulberry32(seed). */
export interface Fill {
  readonly shape: readonly number[];
  readonly seed: number;
  readonly scale: number;
  readonly offset: number;
}

export interface Summary {
  readonly norm: number;
  /** Sum of products with mulberry32(1)'s numbers 2 u - 1. */
  readonly product: number;
  readonly places: readonly number[];
  readonly samples: readonly number[];
}

/** Relative to the largest value of an output, or to the norm of a gradient. */
const TOLERANCE = 1e-4;

export function filled({ shape, seed, scale, offset }: Fill): Float32Array {
  return Float32Array.from(mulberry32Array(seed, elementCount(shape)), (u) => offset + scale * (2 * u - 1));
}

export function expectOutput(actual: ArrayLike<number>, wanted: readonly number[]): void {
  const largest = Math.max(...wanted.map(Math.abs));
  expect(actual.length).toBe(wanted.length);
  for (const [i, value] of wanted.entries()) expect(Math.abs(actual[i] - value)).toBeLessThan(TOLERANCE * largest);
}

export function expectGradient(
  actual: Float32Array | Float64Array,
  { norm, product, places, samples }: Summary,
  path: string,
): void {
  // The floor is for keys' biases: they shift all scores of a query alike, so that their gradient is zero but for rounding.
  const scale = Math.max(norm, 0.1);
  const direction = mulberry32Array(1, actual.length).map((u) => 2 * u - 1);
  const along = direction.reduce((sum, value, i) => sum + value * actual[i], 0);
  expect(Math.abs(Math.hypot(...actual) - norm), `norm of ${path}`).toBeLessThan(TOLERANCE * scale);
  expect(Math.abs(along - product), `product of ${path}`).toBeLessThan(TOLERANCE * scale);
  for (const [i, place] of places.entries()) {
    expect(Math.abs(actual[place] - samples[i]), `${path}[${place}]`).toBeLessThan(TOLERANCE * scale);
  }
}
