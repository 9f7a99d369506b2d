/** Element types of tensors, with their ONNX codes and host arrays. */
import { createHash } from 'node:crypto';

/** Element type. `float16` is for values within graphs: no input or output has it. */
export type DType = HostDType | 'float16';

/** Element types that the host has numbers for: those of inputs and outputs. */
export const hostDTypes = ['float32', 'float64', 'int32', 'int64', 'uint8', 'bool'] as const;

export type HostDType = (typeof hostDTypes)[number];

/** Host array that holds a tensor's elements, row-major. A bool is one byte, 0 or 1; float16 constants are held as float32. */
export type HostArray = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

interface DTypeFacts {
  /** `TensorProto.DataType` code of ONNX; also `ONNXTensorElementDataType` of the C API. */
  readonly onnxCode: number;
  /** Of an element in a runtime's memory. */
  readonly bytes: number;
  readonly isFloat: boolean;
  /** Prefix of the dtype in a printed graph. */
  readonly short: string;
}

export const dtypeFacts: { readonly [K in DType]: DTypeFacts } = {
  float16: { onnxCode: 10, bytes: 2, isFloat: true, short: 'f16' },
  float32: { onnxCode: 1, bytes: 4, isFloat: true, short: 'f32' },
  float64: { onnxCode: 11, bytes: 8, isFloat: true, short: 'f64' },
  int32: { onnxCode: 6, bytes: 4, isFloat: false, short: 'i32' },
  int64: { onnxCode: 7, bytes: 8, isFloat: false, short: 'i64' },
  uint8: { onnxCode: 2, bytes: 1, isFloat: false, short: 'u8' },
  bool: { onnxCode: 9, bytes: 1, isFloat: false, short: 'bool' },
};

/** A zeroed host array over fresh or given memory. */
export function hostArray(dtype: DType, length: number, buffer?: ArrayBuffer): HostArray {
  const held = dtype === 'float16' ? 'float32' : dtype;
  const memory = buffer ?? new ArrayBuffer(length * dtypeFacts[held].bytes);
  switch (held) {
    case 'float32':
      return new Float32Array(memory, 0, length);
    case 'float64':
      return new Float64Array(memory, 0, length);
    case 'int32':
      return new Int32Array(memory, 0, length);
    case 'int64':
      return new BigInt64Array(memory, 0, length);
    case 'uint8':
    case 'bool':
      return new Uint8Array(memory, 0, length);
  }
}

/** Largest finite float16, and the exponent of the smallest normal one. */
const largestFloat16 = 65504;
const lowestExponent16 = -14;

/** The float16 nearest to a number, of two equally near the even one; beyond 65520 an infinity. */
export function toFloat16(x: number): number {
  if (!Number.isFinite(x) || x === 0) return x;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(x))), lowestExponent16);
  // A float64 of this size has steps of 2^(exponent - 10), those of float16: the sum is rounded to them.
  const shift = Math.sign(x) * 1.5 * 2 ** (exponent + 42);
  const rounded = x + shift - shift;
  if (Math.abs(rounded) > largestFloat16) return Math.sign(x) * Number.POSITIVE_INFINITY;
  return rounded === 0 ? 0 * x : rounded;
}

/** Arrays of at most this many bytes are keys themselves, longer ones by their hash. */
const LONGEST_KEY_BYTES = 128;

/** A short text that is equal for two arrays exactly when their types and their bytes are. */
export function hostArrayKey(array: HostArray): string {
  const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength);
  const content =
    bytes.length > LONGEST_KEY_BYTES ? createHash('sha256').update(bytes).digest('hex') : bytes.toString('latin1');
  return `${array.constructor.name}${bytes.length}:${content}`;
}

/** Whether an array is of the type that holds a dtype's elements. */
export function isHostArrayOf(dtype: DType, array: HostArray): boolean {
  return hostArray(dtype, 0).constructor === array.constructor;
}
