/** Sequential reading of a file, plain or gzip, that never allocates more than was asked for. */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { DataError } from '../errors.ts';

/** Deflate cannot expand a byte to more than 1032 bytes (RFC 1951: 258 bytes from two bits). */
const deflateRatio = 1032;

/** A file read from its start to its end. */
export interface ByteStream {
  /** Upper bound of the bytes that the file can hold once unpacked; a header that promises more is wrong. */
  readonly mostBytes: number;
  /** Fills `out` from the stream; returns the bytes written, fewer than `out.length` only at the end. */
  fill(out: Uint8Array): Promise<number>;
  /** Ends reading and closes the file. */
  close(): Promise<void>;
}

/**
 * Opens a file for sequential reading; a gzip file, known by its first two bytes, is unpacked on the way.
 *
 * @throws DataError if the file cannot be opened, or (from `fill`) if its gzip data are damaged.
 */
export async function openByteStream(path: string): Promise<ByteStream> {
  const { bytes, packed } = await probe(path);
  const file = createReadStream(path);
  const unpacked = packed ? file.pipe(createGunzip()) : file;
  if (packed) file.on('error', (error) => unpacked.destroy(error));
  const chunks: AsyncIterator<Buffer> = unpacked[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);

  async function fill(out: Uint8Array): Promise<number> {
    let written = 0;
    while (written < out.length) {
      if (rest.length === 0) {
        const chunk = await chunks.next();
        if (chunk.done === true) break;
        rest = chunk.value;
      }
      const part = rest.subarray(0, out.length - written);
      out.set(part, written);
      written += part.length;
      rest = rest.subarray(part.length);
    }
    return written;
  }

  return {
    mostBytes: packed ? bytes * deflateRatio : bytes,
    fill: (out) => fill(out).catch((cause) => Promise.reject(damaged(path, cause))),
    async close() {
      unpacked.destroy();
      file.destroy();
    },
  };
}

async function probe(path: string): Promise<{ bytes: number; packed: boolean }> {
  try {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    const status = await stat(path);
    if (!status.isFile()) throw new Error('it is not a regular file');
    const handle = await open(path, 'r');
    try {
      const magic = new Uint8Array(2);
      await handle.read(magic, 0, 2, 0);
      return { bytes: status.size, packed: magic[0] === 0x1f && magic[1] === 0x8b };
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** The error for a file or folder that the system does not let us read. */
export function unreadable(path: string, cause: unknown): DataError {
  return new DataError({
    expected: `\`${path}\` to be readable`,
    got: reason(cause),
    where: 'data',
    remedy: 'another path, or check that it exists and its permissions',
    cause,
  });
}

function damaged(path: string, cause: unknown): DataError {
  return new DataError({
    expected: `\`${path}\` to be an intact file`,
    got: reason(cause),
    where: 'data',
    remedy: 'to fetch the file again; it is damaged or was cut short',
    cause,
  });
}

/** Text of a caught value, on one line. */
export function reason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.replaceAll(/\s+/g, ' ').trim();
}
