/** Tensors of ONNX files (`TensorProto`): read without decoding, and decoded after their size is known to be right. */
import { DataError } from '../../errors.ts';
import type { DType, HostArray } from '../dtype.ts';
import { elementCount, formatShape, type Shape } from '../shape.ts';
import { elementTypeName, elementTypes } from './element-type.ts';
import type { ExternalLocation, FileTensor } from './model-record.ts';
import {
  bytesOf,
  fileFault,
  filePlace,
  forEachField,
  integerOf,
  numberBytes,
  type Place,
  pushIntegers,
  textOf,
} from './protobuf-reader.ts';

/** Most axes of a tensor. */
const MOST_AXES = 64;

/** A nested place that shares the file's budget. */
export function within(inside: Place, name: string): Place {
  return { inside, name, budget: inside.budget };
}

/** Sizes as numbers. @throws DataError if one is negative or absurd, or there are too many. */
function shapeOf(dims: readonly bigint[], place: Place): number[] {
  if (dims.length > MOST_AXES) throw fileFault(place, `at most ${MOST_AXES} axes`, `${dims.length}`);
  const shape = dims.map(Number);
  // Zeros must not hide other absurd sizes.
  const bound = shape.reduce((product, size) => product * Math.max(size, 1), 1);
  if (!shape.every((size) => size >= 0) || bound > Number.MAX_SAFE_INTEGER)
    throw fileFault(place, 'a shape of sizes >= 0 whose product is below 2^53', formatShape(shape));
  return shape;
}

/** @throws DataError unless the text is a whole number >= 0. */
function countOf(text: string, place: Place): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw fileFault(place, 'a whole number of bytes', JSON.stringify(text).slice(0, 80));
  return value;
}

/** The entries of `external_data`. */
function externalLocation(entries: ReadonlyMap<string, string>, place: Place): ExternalLocation {
  const location = entries.get('location');
  if (location === undefined) throw fileFault(place, 'external data with a location', 'none');
  const length = entries.get('length');
  return {
    location,
    offset: countOf(entries.get('offset') ?? '0', place),
    length: length === undefined ? null : countOf(length, place),
  };
}

function readEntry(bytes: Uint8Array, place: Place): [string, string] {
  const entry: [string, string] = ['', ''];
  forEachField(bytes, place, (field) => {
    if (field.number === 1 || field.number === 2) entry[field.number - 1] = textOf(field, place);
  });
  return entry;
}

/** A `TensorProto`; its elements stay where they are. @throws DataError if the bytes are damaged. */
export function readTensor(bytes: Uint8Array, place: Place): FileTensor {
  const dims: bigint[] = [];
  const integers: bigint[] = [];
  const numbers: Uint8Array[] = [];
  const entries = new Map<string, string>();
  const found = { name: '', elementType: 0, raw: null as Uint8Array | null, external: false };
  forEachField(bytes, place, (field) => {
    if (field.number === 1) pushIntegers(dims, field, place);
    else if (field.number === 2) found.elementType = Number(integerOf(field, place));
    else if (field.number === 3) throw fileFault(place, 'a whole tensor', 'a segment of one');
    else if (field.number === 4) numbers.push(numberBytes(field, 4, place));
    else if (field.number === 5 || field.number === 7 || field.number === 11) pushIntegers(integers, field, place);
    else if (field.number === 8) found.name = textOf(field, place);
    else if (field.number === 9) found.raw = bytesOf(field, place);
    else if (field.number === 10) numbers.push(numberBytes(field, 8, place));
    else if (field.number === 13) entries.set(...readEntry(bytesOf(field, place), within(place, 'external_data')));
    else if (field.number === 14) found.external = integerOf(field, place) === 1n;
  });
  return {
    name: found.name,
    elementType: found.elementType,
    shape: shapeOf(dims, place),
    raw: found.raw,
    numbers,
    integers,
    external: found.external ? externalLocation(entries, place) : null,
  };
}

/** A tensor of a file in the engine's terms. */
export interface DecodedTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly values: HostArray;
}

/** The bytes at a place outside of the file. @throws DataError if they may not or cannot be read. */
export type ReadExternal = (location: ExternalLocation, bytes: number) => Uint8Array;

function tensorFault(name: string, expected: string, got: string): DataError {
  return new DataError({
    expected: `tensor ${JSON.stringify(name).slice(0, 200)} to ${expected}`,
    got,
    where: 'engine/onnx read-tensor',
  });
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0];
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

/**
 * Elements of a tensor, widened to one of the engine's dtypes (float16 and bfloat16 to float32, small integers to int32).
 * @throws DataError if the element type cannot be held, or the data are not as many as the shape says.
 */
export function decodeTensor(tensor: FileTensor, readExternal: ReadExternal): DecodedTensor {
  const { name, shape, raw, numbers, integers, external } = tensor;
  const type = elementTypes.get(tensor.elementType);
  if (type === undefined) throw tensorFault(name, 'be of a numeric element type', elementTypeName(tensor.elementType));
  const count = elementCount(shape);
  const wanted = count * type.bytes;
  const inside = raw ?? (numbers.length > 0 ? joined(numbers) : null);
  if (external === null && inside === null) {
    if (integers.length !== count) throw tensorFault(name, `have ${count} elements`, `${integers.length}`);
    return { dtype: type.dtype, shape, values: type.fromIntegers(integers) };
  }
  const bytes = external === null ? inside : readExternal(external, wanted);
  if (bytes?.length !== wanted)
    throw tensorFault(name, `have the ${wanted} bytes of ${type.name} ${formatShape(shape)}`, `${bytes?.length}`);
  return { dtype: type.dtype, shape, values: type.fromBytes(bytes, count) };
}

/** A serialised `TensorProto` on its own, as test cases of ONNX store inputs and outputs. @throws DataError if it is damaged. */
export function parseTensor(bytes: Uint8Array): DecodedTensor & { readonly name: string } {
  const tensor = readTensor(bytes, filePlace('tensor'));
  const refuse = () => {
    throw tensorFault(tensor.name, 'hold its own data', 'external data');
  };
  return { name: tensor.name, ...decodeTensor(tensor, refuse) };
}
