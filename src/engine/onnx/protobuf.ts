/**
 * The part of protobuf's wire format that ONNX needs, writing only. A message under construction is a list of byte pieces, so
 * that nesting copies nothing; `encodeMessage` joins them once.
 */

/** One or more encoded fields: pieces in order, and their total length in bytes. */
export interface Fields {
  readonly byteLength: number;
  readonly pieces: readonly Uint8Array[];
}

const wireType = { varint: 0, lengthDelimited: 2, fixed32: 5 } as const;
const utf8 = new TextEncoder();

/** Appends a base-128 varint; a negative value takes ten bytes, as int64 in two's complement. */
function pushVarint(bytes: number[], value: number | bigint): void {
  if (typeof value === 'number' && value >= 0 && value < 2 ** 31) {
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
    bytes.push(rest);
    return;
  }
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
}

function header(field: number, wire: number, ...values: readonly (number | bigint)[]): Uint8Array {
  const bytes: number[] = [];
  pushVarint(bytes, field * 8 + wire);
  for (const value of values) pushVarint(bytes, value);
  return Uint8Array.from(bytes);
}

function fieldsOf(pieces: readonly Uint8Array[]): Fields {
  return { byteLength: pieces.reduce((sum, piece) => sum + piece.byteLength, 0), pieces };
}

/** An int32, int64, enum or bool field. */
export function varintField(field: number, value: number | bigint): Fields {
  return fieldsOf([header(field, wireType.varint, value)]);
}

/** A float field. */
export function floatField(field: number, value: number): Fields {
  return fieldsOf([header(field, wireType.fixed32), littleEndianFloats([value])]);
}

/** A bytes field; the bytes are not copied until `encodeMessage`. */
export function bytesField(field: number, value: Uint8Array): Fields {
  return fieldsOf([header(field, wireType.lengthDelimited, value.byteLength), value]);
}

/** A string field. */
export function stringField(field: number, value: string): Fields {
  return bytesField(field, utf8.encode(value));
}

/** A repeated int64 field in packed form. */
export function packedVarintField(field: number, values: Iterable<number | bigint>): Fields {
  const bytes: number[] = [];
  for (const value of values) pushVarint(bytes, value);
  return bytesField(field, Uint8Array.from(bytes));
}

/** A repeated float field in packed form. */
export function packedFloatField(field: number, values: Iterable<number>): Fields {
  return bytesField(field, littleEndianFloats([...values]));
}

/** Messages of at most this many bytes are joined when they are made: few pieces remain, and large data are still copied once only. */
const largestJoined = 4096;

/** A nested message. */
export function messageField(field: number, parts: readonly Fields[]): Fields {
  const byteLength = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const head = header(field, wireType.lengthDelimited, byteLength);
  const whole = joinFields([fieldsOf([head]), ...parts]);
  return whole.byteLength <= largestJoined ? fieldsOf([encodeMessage([whole])]) : whole;
}

/** Several fields as one. */
export function joinFields(parts: readonly Fields[]): Fields {
  const pieces: Uint8Array[] = [];
  for (const part of parts) for (const piece of part.pieces) pieces.push(piece);
  return fieldsOf(pieces);
}

/** The bytes of a whole message. */
export function encodeMessage(parts: readonly Fields[]): Uint8Array {
  const { byteLength, pieces } = joinFields(parts);
  const bytes = new Uint8Array(byteLength);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.byteLength;
  }
  return bytes;
}

function littleEndianFloats(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, index) => {
    view.setFloat32(4 * index, value, true);
  });
  return new Uint8Array(view.buffer);
}
