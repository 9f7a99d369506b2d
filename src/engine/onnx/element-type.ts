/** Element types of tensors in ONNX files, and what they become here: every type is held in one of the engine's dtypes. */
import { type DType, type HostArray, hostArray } from '../dtype.ts';

/** What is known of one type of `TensorProto.DataType`. */
export interface ElementType {
  /** Name in ONNX's documents. */
  readonly name: string;
  /** The engine's dtype that holds every value of the type: narrower ones are widened. */
  readonly dtype: DType;
  /** Bytes of one element in `raw_data`. */
  readonly bytes: number;
  /** Elements from the bytes of `raw_data`, little-endian. */
  readonly fromBytes: (bytes: Uint8Array, count: number) => HostArray;
  /** Elements from the entries of `int32_data`, `int64_data` or `uint64_data`. */
  readonly fromIntegers: (values: readonly bigint[]) => HostArray;
}

/** A fresh, aligned copy of bytes. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy.buffer;
}

/** A type that the engine holds as it is. Memory is little-endian on every platform that ONNX Runtime's packages support. */
function same(name: string, dtype: DType, bytes: number): ElementType {
  return {
    name,
    dtype,
    bytes,
    fromBytes: (raw, count) => hostArray(dtype, count, aligned(raw)),
    fromIntegers(values) {
      const elements = hostArray(dtype, values.length);
      for (const [i, value] of values.entries())
        elements[i] = elements instanceof BigInt64Array ? value : Number(value);
      return elements;
    },
  };
}

/** A type that is read by `read` from a view and held in a wider dtype. */
function widened(
  name: string,
  { dtype, bytes, read }: { dtype: DType; bytes: number; read: (view: DataView, offset: number) => number },
): ElementType {
  const fill = (count: number, value: (index: number) => number) => {
    const elements = hostArray(dtype, count);
    for (let i = 0; i < count; i++) elements[i] = elements instanceof BigInt64Array ? BigInt(value(i)) : value(i);
    return elements;
  };
  return {
    name,
    dtype,
    bytes,
    fromBytes(raw, count) {
      const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
      return fill(count, (i) => read(view, i * bytes));
    },
    fromIntegers(values) {
      const view = new DataView(new ArrayBuffer(8));
      return fill(values.length, (i) => {
        view.setBigInt64(0, values[i], true);
        return read(view, 0);
      });
    },
  };
}

/** The float32 value of an IEEE 754 binary16 bit pattern, exact. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

const upperHalf = new DataView(new ArrayBuffer(4));

/** The float32 value of a bfloat16 bit pattern, the upper half of float32's. */
function brainValue(bits: number): number {
  upperHalf.setUint32(0, bits * 65_536);
  return upperHalf.getFloat32(0);
}

/** Unsigned 64-bit numbers beyond 2^63 do not fit the engine's int64; they saturate. */
function largestUint64(view: DataView, offset: number): number {
  return Math.min(Number(view.getBigUint64(offset, true)), Number.MAX_SAFE_INTEGER);
}

/** By the code of `TensorProto.DataType`; what is absent (strings, complex numbers, floats of 8 bits and less) cannot be held. */
export const elementTypes: ReadonlyMap<number, ElementType> = new Map([
  [1, same('float', 'float32', 4)],
  [2, same('uint8', 'uint8', 1)],
  [3, widened('int8', { dtype: 'int32', bytes: 1, read: (view, at) => view.getInt8(at) })],
  [4, widened('uint16', { dtype: 'int32', bytes: 2, read: (view, at) => view.getUint16(at, true) })],
  [5, widened('int16', { dtype: 'int32', bytes: 2, read: (view, at) => view.getInt16(at, true) })],
  [6, same('int32', 'int32', 4)],
  [7, same('int64', 'int64', 8)],
  [9, widened('bool', { dtype: 'bool', bytes: 1, read: (view, at) => Number(view.getUint8(at) !== 0) })],
  [10, widened('float16', { dtype: 'float32', bytes: 2, read: (view, at) => halfValue(view.getUint16(at, true)) })],
  [11, same('double', 'float64', 8)],
  [12, widened('uint32', { dtype: 'int64', bytes: 4, read: (view, at) => view.getUint32(at, true) })],
  [13, widened('uint64', { dtype: 'int64', bytes: 8, read: largestUint64 })],
  [16, widened('bfloat16', { dtype: 'float32', bytes: 2, read: (view, at) => brainValue(view.getUint16(at, true)) })],
]);

const otherNames: ReadonlyMap<number, string> = new Map([
  [8, 'string'],
  [14, 'complex64'],
  [15, 'complex128'],
  [17, 'float8e4m3fn'],
  [18, 'float8e4m3fnuz'],
  [19, 'float8e5m2'],
  [20, 'float8e5m2fnuz'],
  [21, 'uint4'],
  [22, 'int4'],
  [23, 'float4e2m1'],
]);

/** Name of any element type, for messages. */
export function elementTypeName(code: number): string {
  return elementTypes.get(code)?.name ?? otherNames.get(code) ?? `type ${code}`;
}
