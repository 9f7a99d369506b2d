/** Weights of TensorFlow.js models: bytes to float32, without the quantisation they were stored with. */
import { elementCount } from '../../../engine/shape.ts';
import { DataError } from '../../../errors.ts';
import { float16ToFloat32 } from '../../../formats/half-precision.ts';
import type { WeightEntry, WeightGroup } from './tfjs-model.ts';

const where = 'metrics/features/tfjs/tfjs-weights';

/** A constant of the network. int32 weights, such as lists of axes, are exact in float64; all others are float32. */
export interface TfjsWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | Float64Array;
}

const bytesPerElement: Readonly<Record<string, number>> = {
  uint8: 1,
  bool: 1,
  uint16: 2,
  float16: 2,
  float32: 4,
  int32: 4,
};

/** @throws DataError for a type that is not known. */
function storedType({ name, dtype, quantization }: WeightEntry): string {
  const stored = quantization?.dtype ?? dtype;
  if (Object.hasOwn(bytesPerElement, stored)) return stored;
  throw new DataError({
    expected: `weight \`${name}\` to be ${Object.keys(bytesPerElement).join(', ')}`,
    got: stored,
    where,
  });
}

/** Elements as they are stored: little-endian, by the format's definition. */
function storedElements(stored: string, bytes: Uint8Array): ArrayLike<number> {
  // A copy, as the place of a weight among the others need not be a multiple of its element's size.
  const { buffer } = new Uint8Array(bytes);
  if (stored === 'float32') return new Float32Array(buffer);
  if (stored === 'int32') return new Int32Array(buffer);
  if (stored === 'float16') return float16ToFloat32(new Uint16Array(buffer));
  return stored === 'uint16' ? new Uint16Array(buffer) : new Uint8Array(buffer);
}

function decode(entry: WeightEntry, stored: string, bytes: Uint8Array): TfjsWeight {
  const { name, shape, dtype, quantization } = entry;
  const elements = storedElements(stored, bytes);
  const { scale = 1, min = 0 } = quantization ?? {};
  const isInteger = dtype === 'int32';
  const values = isInteger ? new Float64Array(elements.length) : new Float32Array(elements.length);
  for (let i = 0; i < values.length; i++) {
    // In float64 and then rounded, as the runtime does; to integers where they were integers.
    const value = stored === 'uint8' || stored === 'uint16' ? elements[i]! * scale + min : elements[i]!;
    values[i] = isInteger ? Math.round(value) : value;
  }
  return { name, shape, values };
}

/**
 * Weights by name.
 * @param bytes  the files of all groups, one after the other.
 * @throws DataError if the bytes are not as many as the weights need, or a type is not known.
 */
export function tfjsWeights(manifest: readonly WeightGroup[], bytes: Uint8Array): Map<string, TfjsWeight> {
  const weights = new Map<string, TfjsWeight>();
  let offset = 0;
  for (const entry of manifest.flatMap((group) => group.weights)) {
    const stored = storedType(entry);
    const end = offset + elementCount(entry.shape) * bytesPerElement[stored]!;
    if (end > bytes.length) break;
    weights.set(entry.name, decode(entry, stored, bytes.subarray(offset, end)));
    offset = end;
  }
  const total = manifest.reduce((count, group) => count + group.weights.length, 0);
  if (weights.size === total && offset === bytes.length) return weights;
  throw new DataError({
    expected: `the bytes of ${total} weights`,
    got: `${bytes.length} bytes, of which ${offset} are those of ${weights.size} weights`,
    where,
  });
}
