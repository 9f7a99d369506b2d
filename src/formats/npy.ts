/** NumPy's .npy files: bytes <-> one typed array with a shape. Source of the format: [numpy:npy]. */

import { DataError, ShapeError } from '../errors.ts';

/** Array types by the dtype's name; float16 is kept as bit patterns (see `half-precision.ts`), bool as bytes 0 and 1. */
export const NPY_ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

export type NpyDtype = keyof typeof NPY_ARRAYS;

/** An array with its values in row-major (C) order, in the array type that its dtype has in `NPY_ARRAYS`. */
export type NpyArray = {
  readonly [D in NpyDtype]: {
    readonly dtype: D;
    readonly shape: readonly number[];
    readonly data: InstanceType<(typeof NPY_ARRAYS)[D]>;
  };
}[NpyDtype];

/** The dtype behind a type code: kind and bytes per value, as in the format's `descr` without its byte order. */
const DTYPE_BY_CODE: Readonly<Record<string, NpyDtype>> = {
  f8: 'float64',
  f4: 'float32',
  f2: 'float16',
  i8: 'int64',
  u8: 'uint64',
  i4: 'int32',
  u4: 'uint32',
  i2: 'int16',
  u2: 'uint16',
  i1: 'int8',
  u1: 'uint8',
  b1: 'bool',
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** Longest header that is read; NumPy itself asks for confirmation beyond 10,000 bytes. */
const MOST_HEADER_BYTES = 65_536;
const MOST_DIMENSIONS = 64;
/** The header is a Python dictionary literal with exactly these three members, in any order. */
const MEMBER = /\s*'(descr|fortran_order|shape)'\s*:\s*('[^'\\]{1,20}'|True|False|\([\d\sL,]*\))\s*(?:,|$)/;

function fault(expected: string, got: string): DataError {
  return new DataError({ expected, got, where: 'formats/npy', remedy: 'saving the array with numpy.save' });
}

interface NpyHeader {
  readonly dtype: NpyDtype;
  readonly bigEndian: boolean;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

function headerMembers(text: string): ReadonlyMap<string, string> {
  const literal = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1]?.trimEnd();
  if (literal === undefined) throw fault('the header to be a dictionary', text.slice(0, 80));
  const members = new Map<string, string>();
  const member = new RegExp(MEMBER, 'y');
  while (member.lastIndex < literal.length) {
    const found = member.exec(literal);
    if (found === null || members.has(found[1]!)) {
      throw fault('a header of descr (a plain type), fortran_order and shape, once each', text.trim().slice(0, 200));
    }
    members.set(found[1]!, found[2]!);
  }
  if (members.size !== 3) throw fault('a header with descr, fortran_order and shape', text.trim().slice(0, 200));
  return members;
}

function parseShape(text: string): readonly number[] {
  const tuple = !/\d\s+\d/.test(text) && /^\((?:(?:\d+L?,)+(?:\d+L?)?)?\)$/.test(text.replace(/\s+/g, ''));
  const shape = (text.match(/\d+/g) ?? []).map(Number);
  const bound = shape.reduce((product, size) => product * Math.max(size, 1), 8);
  if (!tuple || shape.length > MOST_DIMENSIONS || bound > Number.MAX_SAFE_INTEGER) {
    throw fault(`a shape of at most ${MOST_DIMENSIONS} dimensions and 2^53 bytes`, text.slice(0, 200));
  }
  return shape;
}

function parseHeader(text: string): NpyHeader {
  const members = headerMembers(text);
  const descr = /^'([<>|=])([a-z]\d)'$/.exec(members.get('descr')!);
  const dtype = descr !== null && Object.hasOwn(DTYPE_BY_CODE, descr[2]!) ? DTYPE_BY_CODE[descr[2]!] : undefined;
  const order = members.get('fortran_order')!;
  const shape = members.get('shape')!;
  if (dtype === undefined) throw fault(`a dtype of ${Object.keys(NPY_ARRAYS).join(', ')}`, members.get('descr')!);
  if (order !== 'True' && order !== 'False') throw fault('fortran_order to be True or False', order);
  if (!shape.startsWith('(')) throw fault('shape to be a tuple', shape);
  return { dtype, bigEndian: descr![1] === '>', fortranOrder: order === 'True', shape: parseShape(shape) };
}

/** Where the header's text begins and ends, after the magic number, version and length. */
function headerSpan(bytes: Uint8Array): readonly [number, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6];
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte)) throw fault('a .npy file', 'other bytes');
  if (version !== 1 && version !== 2 && version !== 3) throw fault('.npy version 1, 2 or 3', String(version));
  const begin = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const most = Math.min(MOST_HEADER_BYTES, bytes.length - begin);
  if (length > most) throw fault(`a header of at most ${most} bytes`, String(length));
  return [begin, begin + length];
}

/** The values with each one's bytes reversed, in memory of their own. */
function swapBytes(bytes: Uint8Array, width: number): Uint8Array {
  const swapped = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i += width) {
    for (let j = 0; j < width; j++) swapped[i + j] = bytes[i + width - 1 - j]!;
  }
  return swapped;
}

/** Column-major bytes rearranged to row-major order. */
function toRowMajor(bytes: Uint8Array, shape: readonly number[], width: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, width));
  const index = shape.map(() => 0);
  for (let to = 0, from = 0; to < bytes.length; to += width) {
    for (let j = 0; j < width; j++) out[to + j] = bytes[from + j]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/**
 * Reads a .npy file: versions 1 to 3, plain dtypes of either byte order, C and Fortran order. The array shares the memory
 * of `bytes` where alignment, byte order and axis order allow.
 *
 * @throws DataError if the bytes are damaged, too few or too many, or of a structured, object, complex or text dtype.
 */
export function readNpy(bytes: Uint8Array): NpyArray {
  const [begin, end] = headerSpan(bytes);
  const { dtype, bigEndian, fortranOrder, shape } = parseHeader(new TextDecoder().decode(bytes.subarray(begin, end)));
  const type = NPY_ARRAYS[dtype];
  const width = type.BYTES_PER_ELEMENT;
  const wanted = shape.reduce((product, size) => product * size, width);
  let values = bytes.subarray(end);
  if (values.length !== wanted) throw fault(`${wanted} bytes of ${dtype} [${shape}]`, `${values.length} bytes`);
  if (bigEndian) values = swapBytes(values, width);
  if (fortranOrder && shape.length > 1) values = toRowMajor(values, shape, width);
  if (values.byteOffset % width !== 0) values = new Uint8Array(values);
  const memory = values.buffer as ArrayBuffer; // typed arrays over shared memory are made alike
  const data = new type(memory, values.byteOffset, values.length / width);
  return { dtype, shape, data } as NpyArray; // the table has paired dtype and array
}

/**
 * A .npy file (version 1, little-endian, C order) of an array.
 * @throws ShapeError if `data` does not fit dtype and shape.
 */
export function writeNpy({ dtype, shape, data }: NpyArray): Uint8Array {
  const type = NPY_ARRAYS[dtype];
  const count = shape.reduce((product, size) => product * size, 1);
  if (!(data instanceof type) || data.length !== count || shape.length > MOST_DIMENSIONS) {
    throw new ShapeError({
      expected: `an array of ${dtype} [${shape}] to be ${type.name} [${count}]`,
      got: `${data.constructor.name} [${data.length}]`,
      where: 'formats/npy writeNpy',
    });
  }
  const code = Object.keys(DTYPE_BY_CODE).find((candidate) => DTYPE_BY_CODE[candidate] === dtype)!;
  const descr = `${type.BYTES_PER_ELEMENT === 1 ? '|' : '<'}${code}`;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const total = Math.ceil((10 + text.length + 1) / 64) * 64; // values start at a multiple of 64 bytes, as the format asks
  const bytes = new Uint8Array(total + data.byteLength).fill(0x20, 0, total);
  bytes.set([...MAGIC, 1, 0, (total - 10) & 255, (total - 10) >>> 8]);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[total - 1] = 0x0a;
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), total);
  return bytes;
}
