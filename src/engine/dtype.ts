/** Element types of tensors, with their ONNX codes and host arrays. */
import { createHash } from 'node:crypto';

export type DType = 'float32' | 'float64' | 'int32' | 'int64' | 'uint8' | 'bool';

/** Host array that holds a tensor's elements, row-major. A bool is one byte, 0 or 1. */
export type HostArray = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

interface DTypeFacts {
  /** `TensorProto.DataType` code of ONNX; also `ONNXTensorElementDataType` of the C API. */
  readonly onnxCode: number;
  readonly bytes: number;
  readonly isFloat: boolean;
  /** Prefix of the dtype in a printed graph. */
  readonly short: string;
}

export const dtypeFacts: { readonly [K in DType]: DTypeFacts } = {
  float32: { onnxCode: 1, bytes: 4, isFloat: true, short: 'f32' },
  float64: { onnxCode: 11, bytes: 8, isFloat: true, short: 'f64' },
  int32: { onnxCode: 6, bytes: 4, isFloat: false, short: 'i32' },
  int64: { onnxCode: 7, bytes: 8, isFloat: false, short: 'i64' },
  uint8: { onnxCode: 2, bytes: 1, isFloat: false, short: 'u8' },
  bool: { onnxCode: 9, bytes: 1, isFloat: false, short: 'bool' },
};

/** A zeroed host array over fresh or given memory. */
export function hostArray(dtype: DType, length: number, buffer?: ArrayBuffer): HostArray {
  const memory = buffer ?? new ArrayBuffer(length * dtypeFacts[dtype].bytes);
  switch (dtype) {
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
