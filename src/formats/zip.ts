/** ZIP archives, as far as .npz files need them: stored and deflated members, checksums, bounded sizes. Source: [appnote:zip]. */

import { inflateSync } from 'fflate';
import { DataError } from '../errors.ts';

/** One member of an archive, from the central directory. */
export interface ZipMember {
  readonly name: string;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly crc32: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  /** Where the member's local header starts. */
  readonly offset: number;
}

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
/** In place of a number that only a zip64 record holds. */
const BEYOND_32_BITS = 0xffffffff;
/** Deflate cannot expand more than this: 258 bytes for each two bits. A member that claims more is damaged or malicious. */
const MOST_EXPANSION = 1032;

function fault(expected: string, got: string, cause?: unknown): DataError {
  return new DataError({ expected, got, where: 'formats/zip', cause });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Where the record that ends the archive starts; it is followed by a comment of at most 65,535 bytes. */
function endRecord(view: DataView): number {
  const first = Math.max(0, view.byteLength - END_BYTES - 0xffff);
  for (let at = view.byteLength - END_BYTES; at >= first; at--) {
    if (
      view.getUint32(at, true) === END_SIGNATURE &&
      at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength
    ) {
      return at;
    }
  }
  throw fault('a ZIP archive', `${view.byteLength} bytes without its end record`);
}

function readEntry(bytes: Uint8Array, at: number, end: number): { readonly member: ZipMember; readonly next: number } {
  const view = viewOf(bytes);
  if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== ENTRY_SIGNATURE) {
    throw fault('an entry of the ZIP directory', `other bytes at ${at}`);
  }
  const nameEnd = at + ENTRY_BYTES + view.getUint16(at + 28, true);
  const next = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  if (next > end) throw fault('a whole ZIP directory', `an entry that ends at ${next} of ${end}`);
  const member = {
    name: new TextDecoder().decode(bytes.subarray(at + ENTRY_BYTES, nameEnd)),
    method: view.getUint16(at + 10, true),
    crc32: view.getUint32(at + 16, true),
    compressedBytes: view.getUint32(at + 20, true),
    bytes: view.getUint32(at + 24, true),
    offset: view.getUint32(at + 42, true),
  };
  if ((view.getUint16(at + 8, true) & 1) !== 0) throw fault('an archive without encryption', member.name);
  if (Math.max(member.compressedBytes, member.bytes, member.offset) === BEYOND_32_BITS) {
    throw fault('ZIP members below 4 GiB', `a zip64 member ${member.name}`);
  }
  return { member, next };
}

/**
 * The members of an archive, in the directory's order.
 * @throws DataError if the bytes are no archive, damaged, encrypted or zip64, or a name occurs twice.
 */
export function readZipDirectory(bytes: Uint8Array): readonly ZipMember[] {
  const view = viewOf(bytes);
  const end = endRecord(view);
  const count = view.getUint16(end + 10, true);
  const members = new Map<string, ZipMember>();
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    const { member, next } = readEntry(bytes, at, end);
    if (members.has(member.name)) throw fault('every ZIP member to occur once', `two of ${member.name}`);
    members.set(member.name, member);
    at = next;
  }
  return [...members.values()];
}

/** CRC-32 of bytes, reflected polynomial 0xEDB88320, as ZIP and PNG use it. */
export function crc32(bytes: Uint8Array): number {
  const table = Int32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb88320 : 0);
    return remainder;
  });
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 255]!;
  return ~crc >>> 0;
}

/** A member's compressed bytes. */
function packedBytes(archive: Uint8Array, { name, offset, compressedBytes }: ZipMember): Uint8Array {
  const view = viewOf(archive);
  if (offset + LOCAL_BYTES > archive.length || view.getUint32(offset, true) !== LOCAL_SIGNATURE) {
    throw fault(`ZIP member ${name} at byte ${offset}`, 'other bytes');
  }
  const begin = offset + LOCAL_BYTES + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (begin + compressedBytes > archive.length) throw fault(`ZIP member ${name} to be whole`, 'a truncated archive');
  return archive.subarray(begin, begin + compressedBytes);
}

function inflate(packed: Uint8Array, { name, bytes }: ZipMember): Uint8Array {
  if (bytes > packed.length * MOST_EXPANSION) {
    throw fault(`ZIP member ${name} to hold at most ${packed.length * MOST_EXPANSION} bytes`, `${bytes}`);
  }
  try {
    return inflateSync(packed, { out: new Uint8Array(bytes) });
  } catch (cause) {
    throw fault(`ZIP member ${name} to be deflated data`, 'a damaged stream', cause);
  }
}

/**
 * A member's bytes, checked against its length and checksum. Stored members share the archive's memory. Memory is taken
 * for the claimed length only, and never more than 1,032 times the compressed length.
 *
 * @throws DataError if the member is damaged or compressed otherwise than by deflate.
 */
export function readZipMember(archive: Uint8Array, member: ZipMember): Uint8Array {
  const packed = packedBytes(archive, member);
  if (member.method !== 0 && member.method !== 8)
    throw fault('a stored or deflated ZIP member', `method ${member.method}`);
  const bytes = member.method === 0 ? packed : inflate(packed, member);
  if (bytes.length !== member.bytes || crc32(bytes) !== member.crc32) {
    throw fault(`ZIP member ${member.name} of ${member.bytes} bytes with its checksum`, 'other bytes');
  }
  return bytes;
}
