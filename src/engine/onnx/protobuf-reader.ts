/**
 * The part of protobuf's wire format that ONNX files use, reading only; `protobuf.ts` writes. Nothing here trusts the bytes: every
 * length is compared with what is left before it is used, and the number of messages of a file is limited.
 */
import { DataError } from '../../errors.ts';

/** Most messages that one file may hold. A message of two bytes becomes a record of hundreds: this bounds the records. */
const MOST_MESSAGES = 4_000_000;
/** Longest name or other short text, in bytes. */
const LONGEST_TEXT_BYTES = 65_536;

/** Where in a file something stands, for messages: a chain of field names up to the file. */
export interface Place {
  readonly inside: Place | null;
  readonly name: string;
  /** How many more messages the file may hold; shared by all places of a file. */
  readonly budget: { messages: number };
}

/** The place of a whole file (or of bytes that stand for one). */
export function filePlace(name: string): Place {
  return { inside: null, name, budget: { messages: MOST_MESSAGES } };
}

/** A place as messages show it: "model.onnx graph.node[3].attribute[0]". */
export function describePlace({ inside, name }: Place): string {
  if (inside === null) return name;
  return `${describePlace(inside)}${inside.inside === null ? ' ' : '.'}${name}`;
}

/** The error for a file that is damaged, or hostile, at a place. */
export function fileFault(place: Place, expected: string, got: string): DataError {
  return new DataError({
    expected: `${expected} in ${describePlace(place)}`,
    got,
    where: 'engine/onnx read-model',
    remedy: 'exporting or fetching the file again',
  });
}

/** One field of a message. */
export interface WireField {
  readonly number: number;
  readonly wire: 'varint' | 'fixed64' | 'bytes' | 'fixed32';
  /** Value of a varint, as int64; 0 for other fields. */
  readonly integer: bigint;
  /** Contents of all other fields, a view of the message; empty for a varint. */
  readonly bytes: Uint8Array;
}

const noBytes = new Uint8Array(0);
const wireKinds = ['varint', 'fixed64', 'bytes', null, null, 'fixed32'] as const;

/** Reads on through a message's bytes. */
class Cursor {
  readonly bytes: Uint8Array;
  readonly place: Place;
  offset = 0;

  constructor(bytes: Uint8Array, place: Place) {
    this.bytes = bytes;
    this.place = place;
  }

  /** A varint as an unsigned 64-bit number: a number below 2^49, else a bigint. */
  varint(): number | bigint {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 7; count++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    let large = BigInt(value);
    for (let shift = 49n; ; shift += 7n) {
      const byte = this.#byte();
      // Nine bytes hold 63 bits: the tenth may add one.
      if (shift === 63n && byte > 1) throw fileFault(this.place, 'a varint of at most 64 bits', 'a longer one');
      large |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return large;
    }
  }

  #byte(): number {
    if (this.offset >= this.bytes.length) throw fileFault(this.place, 'a whole varint', 'the end of the message');
    return this.bytes[this.offset++];
  }

  take(length: number | bigint): Uint8Array {
    const left = this.bytes.length - this.offset;
    if (length > left) throw fileFault(this.place, `a field of at most ${left} bytes`, `${length}`);
    const from = this.offset;
    this.offset += Number(length);
    return this.bytes.subarray(from, this.offset);
  }
}

function asInt64(value: number | bigint): bigint {
  return BigInt.asIntN(64, BigInt(value));
}

/**
 * Calls `visit` for each field of a message, in order.
 * @throws DataError if the bytes end within a field, or a field has no number or a wire type that is not used.
 */
export function forEachField(bytes: Uint8Array, place: Place, visit: (field: WireField) => void): void {
  place.budget.messages -= 1;
  if (place.budget.messages < 0) throw fileFault(place, `at most ${MOST_MESSAGES} messages`, 'more');
  const cursor = new Cursor(bytes, place);
  while (cursor.offset < bytes.length) {
    const key = Number(cursor.varint());
    const number = Math.floor(key / 8);
    const wire = wireKinds[key % 8] ?? null;
    if (wire === null || number < 1 || number >= 2 ** 29)
      throw fileFault(place, 'a field with a number and a wire type of 0, 1, 2 or 5', `key ${key}`);
    if (wire === 'varint') visit({ number, wire, integer: asInt64(cursor.varint()), bytes: noBytes });
    else {
      const length = wire === 'bytes' ? cursor.varint() : wire === 'fixed64' ? 8 : 4;
      visit({ number, wire, integer: 0n, bytes: cursor.take(length) });
    }
  }
}

function expectWire(field: WireField, wire: WireField['wire'], place: Place): void {
  if (field.wire !== wire) throw fileFault(place, `field ${field.number} to be of wire type ${wire}`, field.wire);
}

/** Contents of a length-delimited field. @throws DataError if the field is another. */
export function bytesOf(field: WireField, place: Place): Uint8Array {
  expectWire(field, 'bytes', place);
  return field.bytes;
}

/** Value of an integer field. @throws DataError if the field is another. */
export function integerOf(field: WireField, place: Place): bigint {
  expectWire(field, 'varint', place);
  return field.integer;
}

/** Value of a float field. @throws DataError if the field is another. */
export function floatOf(field: WireField, place: Place): number {
  expectWire(field, 'fixed32', place);
  return new DataView(field.bytes.buffer, field.bytes.byteOffset, 4).getFloat32(0, true);
}

/** A short text. @throws DataError if it is too long or not UTF-8, or the field is another. */
export function textOf(field: WireField, place: Place): string {
  const bytes = bytesOf(field, place);
  if (bytes.length > LONGEST_TEXT_BYTES)
    throw fileFault(place, `a text of at most ${LONGEST_TEXT_BYTES} bytes`, `${bytes.length}`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw fileFault(place, 'a text in UTF-8', 'other bytes');
  }
}

/** Appends the values of a repeated integer field: one, or several in packed form. @throws DataError if it is neither. */
export function pushIntegers(target: bigint[], field: WireField, place: Place): void {
  if (field.wire === 'varint') {
    target.push(field.integer);
    return;
  }
  const cursor = new Cursor(bytesOf(field, place), place);
  while (cursor.offset < cursor.bytes.length) target.push(asInt64(cursor.varint()));
}

/** The bytes of a repeated float or double field: one number, or several in packed form. @throws DataError if it is neither. */
export function numberBytes(field: WireField, width: 4 | 8, place: Place): Uint8Array {
  if (field.wire !== (width === 4 ? 'fixed32' : 'fixed64')) expectWire(field, 'bytes', place);
  if (field.bytes.length % width !== 0)
    throw fileFault(place, `numbers of ${width} bytes`, `${field.bytes.length} bytes`);
  return field.bytes;
}
