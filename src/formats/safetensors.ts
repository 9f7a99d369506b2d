/** Safetensors files in memory: bytes <-> named typed arrays. `safetensors-file.ts` reads and writes them on disk. */

import { DataError, ShapeError } from '../errors.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from './half-precision.ts';
import {
  encodeHeader,
  headerLength,
  LENGTH_BYTES,
  parseHeader,
  SAFETENSORS_ARRAYS,
  type SafetensorsDtype,
  type SafetensorsEntry,
} from './safetensors-header.ts';

/** A tensor with its values in row-major order, in the array type that its dtype has in `SAFETENSORS_ARRAYS`. */
export type SafetensorsTensor = {
  readonly [D in SafetensorsDtype]: {
    readonly dtype: D;
    readonly shape: readonly number[];
    readonly data: InstanceType<(typeof SAFETENSORS_ARRAYS)[D]>;
  };
}[SafetensorsDtype];

/** Named tensors with the file's free text. */
export interface SafetensorsContent {
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Array types whose dtype is the one of their own name. */
type OwnDtypeArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

const OWN_DTYPES = ['F64', 'F32', 'I64', 'U64', 'I32', 'U32', 'I16', 'U16', 'I8', 'U8'] as const;

/**
 * A typed array as a tensor of the dtype that it has in JavaScript (Uint16Array as U16, Uint8Array as U8).
 * @throws ShapeError if the shape does not hold as many values as `data` has.
 */
export function safetensor(data: OwnDtypeArray, shape: readonly number[] = [data.length]): SafetensorsTensor {
  const dtype = OWN_DTYPES.find((candidate) => data instanceof SAFETENSORS_ARRAYS[candidate]);
  const tensor = { dtype, shape, data } as SafetensorsTensor; // `find` has paired dtype and array
  checkTensor('data', tensor);
  return tensor;
}

/**
 * Checks that a tensor's array has its dtype's type and its shape's length.
 * @throws ShapeError naming the tensor.
 */
export function checkTensor(name: string, { dtype, shape, data }: SafetensorsTensor): void {
  const wanted = SAFETENSORS_ARRAYS[dtype];
  const count = shape.reduce((product, size) => product * size, 1);
  if (data instanceof wanted && data.length === count && shape.every((size) => Number.isSafeInteger(size) && size >= 0))
    return;
  throw new ShapeError({
    expected: `\`${name}\` of ${dtype} to be ${wanted.name} [${shape}]`,
    got: `${data.constructor.name} [${data.length}]`,
    where: 'formats/safetensors',
  });
}

/** The bytes of a tensor's values, sharing their memory. */
export function tensorBytes({ data }: SafetensorsTensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * The tensor that `bytes` hold, sharing their memory where their alignment allows and copying them where not.
 * @throws DataError if a BOOL byte is neither 0 nor 1.
 */
export function tensorFromBytes(entry: SafetensorsEntry, bytes: Uint8Array): SafetensorsTensor {
  const { name, dtype, shape } = entry;
  const type = SAFETENSORS_ARRAYS[dtype];
  const aligned = bytes.byteOffset % type.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  const memory = aligned.buffer as ArrayBuffer; // typed arrays over shared memory are made alike
  const data = new type(memory, aligned.byteOffset, aligned.byteLength / type.BYTES_PER_ELEMENT);
  if (dtype === 'BOOL' && bytes.some((byte) => byte > 1)) {
    throw new DataError({
      expected: `tensor ${JSON.stringify(name)} of BOOL to hold bytes 0 and 1`,
      got: 'another byte',
      where: 'formats/safetensors',
    });
  }
  return { dtype, shape, data } as SafetensorsTensor; // the table has paired dtype and array
}

/**
 * Reads a whole file's bytes. Arrays share the memory of `bytes` where their alignment allows.
 * @throws DataError if the file is damaged: see `headerLength` and `parseHeader`.
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsContent {
  const length = headerLength(bytes.subarray(0, LENGTH_BYTES), bytes.length);
  const dataStart = LENGTH_BYTES + length;
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, dataStart), bytes.length - dataStart);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const entry of header.entries) {
    const part = bytes.subarray(dataStart + entry.begin, dataStart + entry.end);
    tensors.set(entry.name, tensorFromBytes(entry, part));
  }
  return { tensors, metadata: header.metadata };
}

/**
 * A whole file's bytes. Equal tensors and metadata give equal bytes, in whatever order the tensors come.
 * @throws ShapeError if a tensor's array does not fit its dtype or shape. @throws DataError if a name is reserved.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const plans = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  for (const [name, tensor] of tensors) checkTensor(name, tensor);
  const header = encodeHeader(plans, metadata);
  const bytes = new Uint8Array(header.bytes.length + (header.entries.at(-1)?.end ?? 0));
  bytes.set(header.bytes);
  for (const { name, begin } of header.entries) {
    bytes.set(tensorBytes(tensors.get(name)!), header.bytes.length + begin);
  }
  return bytes;
}

/**
 * A floating-point tensor's values as float32: F32 itself, F16 and BF16 exactly, F64 rounded.
 * @throws DataError if the dtype is not a floating-point one.
 */
export function toFloat32(tensor: SafetensorsTensor): Float32Array {
  switch (tensor.dtype) {
    case 'F32':
      return tensor.data;
    case 'F64':
      return Float32Array.from(tensor.data);
    case 'F16':
      return float16ToFloat32(tensor.data);
    case 'BF16':
      return bfloat16ToFloat32(tensor.data);
    default:
      throw new DataError({
        expected: 'a tensor of F64, F32, F16 or BF16',
        got: tensor.dtype,
        where: 'formats/safetensors toFloat32',
      });
  }
}
