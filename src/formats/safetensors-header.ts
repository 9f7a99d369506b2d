/**
 * The header of a safetensors file: which tensor lies where. Layout of a file: header length as little-endian uint64,
 * header as JSON padded with spaces, then the tensors' bytes without gaps. Source of the layout: [safetensors:23].
 */

import { DataError } from '../errors.ts';

/** Dtypes that can be read and written; F16 and BF16 are kept as uint16 bit patterns, BOOL as bytes 0 and 1. */
export const SAFETENSORS_ARRAYS = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  I32: Int32Array,
  U32: Uint32Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

export type SafetensorsDtype = keyof typeof SAFETENSORS_ARRAYS;

/** Where one tensor lies. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** First byte and the byte after the last, counted from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

/** A file's header, checked: entries are in the order of their bytes and cover all bytes after the header once. */
export interface SafetensorsHeader {
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bytes of the header's length field. */
export const LENGTH_BYTES = 8;
/** Longest header that is read or written; the limit of the format's reference implementation. */
const MOST_HEADER_BYTES = 100_000_000;
const METADATA = '__metadata__';
const ENTRY_KEYS = ['data_offsets', 'dtype', 'shape'];

function fault(expected: string, got: string, cause?: unknown): DataError {
  return new DataError({
    expected,
    got,
    where: 'formats/safetensors',
    cause,
    remedy: 'fetching or writing the file again',
  });
}

/**
 * Length of the JSON header in bytes.
 * @param prefix    the file's first eight bytes.
 * @param fileBytes  length of the whole file.
 * @throws DataError if the prefix is short, or the length is absurd or beyond the file's end.
 */
export function headerLength(prefix: Uint8Array, fileBytes: number): number {
  if (prefix.length < LENGTH_BYTES) throw fault('a safetensors file of at least 8 bytes', `${prefix.length} bytes`);
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES).getBigUint64(0, true));
  const most = Math.min(MOST_HEADER_BYTES, fileBytes - LENGTH_BYTES);
  if (length < 2 || length > most) throw fault(`a header length from 2 to ${most} bytes`, `${length}`);
  return length;
}

/**
 * Number of members of all objects in valid JSON text: its colons outside strings. `JSON.parse` drops all but the last of
 * equal names without a word; this count shows that one was dropped.
 */
function countMembers(json: string): number {
  let members = 0;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const character = json.charCodeAt(i);
    if (character === 0x22) inString = !inString;
    else if (inString && character === 0x5c) i++;
    else if (!inString && character === 0x3a) members++;
  }
  return members;
}

/** A parsed value in a few words; never recurses, since a damaged header may nest without end. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}: ${value.slice(0, 9).map(shownFlat).join(', ')}`;
  return isRecord(value) ? `an object of ${Object.keys(value).join(', ').slice(0, 200)}` : shownFlat(value);
}

function shownFlat(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : String(JSON.stringify(value)).slice(0, 200);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Object.is(Math.abs(Number(value)), value);
}

function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === 'string' && Object.hasOwn(SAFETENSORS_ARRAYS, value);
}

/** Product of the dimensions; NaN beyond 2^53. */
function elementCount(shape: readonly number[]): number {
  const count = shape.reduce((product, size) => product * size, 1);
  const bound = shape.reduce((product, size) => product * Math.max(1, size), 1);
  return bound <= Number.MAX_SAFE_INTEGER ? count : Number.NaN;
}

function parseEntry(name: string, value: unknown): SafetensorsEntry {
  const label = `tensor ${JSON.stringify(name).slice(0, 200)}`;
  if (!isRecord(value) || Object.keys(value).sort().join() !== ENTRY_KEYS.join()) {
    throw fault(`${label} to have exactly dtype, shape and data_offsets`, shown(value));
  }
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) {
    const allowed = Object.keys(SAFETENSORS_ARRAYS).join(', ');
    throw fault(`${label} to have a dtype of ${allowed}`, shown(dtype));
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw fault(`${label} to have a shape of non-negative integers`, shown(shape));
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw fault(`${label} to have two data_offsets`, shown(offsets));
  }
  const [begin, end] = offsets as [number, number]; // two counts, checked above
  const bytes = elementCount(shape) * SAFETENSORS_ARRAYS[dtype].BYTES_PER_ELEMENT;
  if (end - begin !== bytes) {
    throw fault(
      `${label} of ${dtype} ${JSON.stringify(shape).slice(0, 200)} to take ${bytes} bytes`,
      `[${begin}, ${end}]`,
    );
  }
  return { name, dtype, shape: shape as readonly number[], begin, end }; // counts, checked above
}

function parseMetadata(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (!isRecord(value) || !Object.values(value).every((text) => typeof text === 'string')) {
    throw fault(`\`${METADATA}\` to map names to strings`, shown(value));
  }
  return value as Readonly<Record<string, string>>; // strings, checked above
}

function parseJson(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  let text = '';
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    parsed = JSON.parse(text);
  } catch (cause) {
    throw fault('the header to be JSON in UTF-8', 'something else', cause);
  }
  if (!isRecord(parsed) || !text.startsWith('{')) throw fault('the header to be a JSON object', text.slice(0, 40));
  const parts = Object.values(parsed);
  const members = parts.reduce<number>(
    (sum, part) => sum + (isRecord(part) ? Object.keys(part).length : 0),
    parts.length,
  );
  if (countMembers(text) !== members)
    throw fault('every name in the header to occur once', 'a repeated or nested name');
  return parsed;
}

/**
 * The checked header of a safetensors file.
 * @param bytes      the JSON text, without the length before it.
 * @param dataBytes  number of bytes after the header.
 * @throws DataError if the text is not such JSON, a name is repeated, a dtype is unknown, a size does not fit its shape, or
 *   the tensors overlap, leave gaps or do not end where the file does.
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number): SafetensorsHeader {
  const json = parseJson(bytes);
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of Object.entries(json)) if (name !== METADATA) entries.push(parseEntry(name, value));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let position = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== position) throw fault(`tensor ${JSON.stringify(name)} to begin at byte ${position}`, `${begin}`);
    position = end;
  }
  if (position !== dataBytes) throw fault(`${position} bytes after the header`, `${dataBytes}`);
  return { entries, metadata: parseMetadata(Object.hasOwn(json, METADATA) ? json[METADATA] : undefined) };
}

/** A tensor to be placed in a file. */
export interface TensorPlan {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

/**
 * Places tensors and encodes the header. Wide dtypes come first and names are sorted within a dtype's width, so that every
 * tensor starts at a multiple of its element size and equal tensors give equal files.
 * @returns the length field with the padded JSON (a multiple of 8 bytes), and the entries in the order of their bytes.
 * @throws DataError if a name is reserved or the header is too long.
 */
export function encodeHeader(
  tensors: readonly TensorPlan[],
  metadata: Readonly<Record<string, string>>,
): { readonly bytes: Uint8Array; readonly entries: readonly SafetensorsEntry[] } {
  const width = (tensor: TensorPlan) => SAFETENSORS_ARRAYS[tensor.dtype].BYTES_PER_ELEMENT;
  const ordered = [...tensors].sort((a, b) => width(b) - width(a) || (a.name < b.name ? -1 : 1));
  const members: string[] = [];
  const entries: SafetensorsEntry[] = [];
  if (Object.keys(metadata).length > 0) members.push(`"${METADATA}":${JSON.stringify(metadata)}`);
  let begin = 0;
  for (const tensor of ordered) {
    if (tensor.name === METADATA) throw fault(`a tensor name other than ${METADATA}`, METADATA);
    const { name, dtype, shape } = tensor;
    const end = begin + elementCount(shape) * width(tensor);
    entries.push({ name, dtype, shape, begin, end });
    members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
    begin = end;
  }
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  if (length > MOST_HEADER_BYTES) throw fault(`a header of at most ${MOST_HEADER_BYTES} bytes`, `${length}`);
  const bytes = new Uint8Array(LENGTH_BYTES + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, LENGTH_BYTES);
  return { bytes, entries };
}
