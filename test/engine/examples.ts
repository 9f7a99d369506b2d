/** Draws the inputs of a primitive's examples. */
import type { DType, HostArray } from '../../src/engine/dtype.ts';
import type { ExampleInput } from '../../src/engine/primitive.ts';
import { elementCount } from '../../src/engine/shape.ts';
import { elementsOf, type TensorType } from '../../src/engine/tensor.ts';

/** Uniform numbers in [0, 1) from a 32-bit linear congruential generator: enough to fill test inputs, repeatable. */
export function uniforms(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function exampleDtype({ dtype = 'float' }: ExampleInput, float: DType): DType {
  return dtype === 'float' ? float : dtype;
}

/** Values inside the example's range. */
export function drawValues(input: ExampleInput, next: () => number): number[] {
  const count = elementCount(input.shape);
  const kind = input.dtype ?? 'float';
  const [low, high] = input.range ?? (kind === 'bool' ? [0, 1] : kind === 'uint8' ? [0, 255] : [-2, 2]);
  if (input.distinct) {
    const spaced = Array.from({ length: count }, (_, i) => low + ((high - low) * (i + 0.5)) / count);
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(next() * (i + 1));
      [spaced[i], spaced[j]] = [spaced[j], spaced[i]];
    }
    return spaced;
  }
  return Array.from({ length: count }, () => {
    const value = low + (high - low) * next();
    return kind === 'float' ? value : Math.floor(low + (high + 1 - low) * next());
  });
}

export interface DrawnInput {
  readonly type: TensorType;
  readonly values: readonly number[];
  readonly array: HostArray;
}

export function drawInputs(
  inputs: readonly ExampleInput[],
  { seed, float }: { readonly seed: number; readonly float: DType },
): DrawnInput[] {
  const next = uniforms(seed);
  return inputs.map((input) => {
    const dtype = exampleDtype(input, float);
    // Rounded to float32, so that every dtype starts from the same numbers.
    const values = drawValues(input, next).map((value) => (dtype.startsWith('float') ? Math.fround(value) : value));
    return { type: { dtype, shape: input.shape }, values, array: elementsOf(dtype, values) };
  });
}
