/** Safetensors files on disk: written as a stream, read tensor by tensor. */

import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { DataError, FlowError, ShapeError } from '../errors.ts';
import { checkTensor, type SafetensorsTensor, tensorBytes, tensorFromBytes } from './safetensors.ts';
import {
  encodeHeader,
  headerLength,
  LENGTH_BYTES,
  parseHeader,
  type SafetensorsDtype,
  type SafetensorsEntry,
} from './safetensors-header.ts';

/** Most bytes hashed and handed to the operating system at once, so that the event loop stays free. */
const CHUNK_BYTES = 2 ** 24;

/** What was written: the file's length and the SHA-256 of its bytes in lower-case hexadecimal digits. */
export interface WrittenFile {
  readonly bytes: number;
  readonly sha256: string;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, digest: Hash): Promise<void> {
  for (let begin = 0; begin < bytes.length; begin += CHUNK_BYTES) {
    const chunk = bytes.subarray(begin, begin + CHUNK_BYTES);
    digest.update(chunk);
    for (let done = 0; done < chunk.length; ) done += (await handle.write(chunk, done)).bytesWritten;
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(CHUNK_BYTES, length - done), position + done);
    if (bytesRead === 0) throw new DataError({ expected: `${length} bytes at ${position}`, got: `${done} bytes` });
    done += bytesRead;
  }
  return bytes;
}

function fileFault(path: string, wanted: string, cause: unknown): DataError {
  const got = cause instanceof Error ? cause.message : String(cause);
  return new DataError({ expected: `${path} to be ${wanted}`, got, where: 'formats/safetensors-file', cause });
}

async function openOr(path: string, flags: 'r' | 'w'): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (cause) {
    throw fileFault(path, flags === 'r' ? 'a file that can be read' : 'a place that can be written', cause);
  }
}

/** A tensor that is fetched when its bytes are due, so that tensors need not be in memory together. */
export interface DeferredTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** The tensor, of this dtype and shape. */
  fetch(): Promise<SafetensorsTensor>;
}

async function fetched(name: string, tensor: SafetensorsTensor | DeferredTensor): Promise<SafetensorsTensor> {
  if ('data' in tensor) return tensor;
  const { dtype, data } = await tensor.fetch();
  const whole = { dtype, shape: tensor.shape, data } as SafetensorsTensor; // dtype and array come as a pair
  if (dtype === tensor.dtype) checkTensor(name, whole);
  else
    throw new ShapeError({
      expected: `\`${name}\` to be ${tensor.dtype}`,
      got: dtype,
      where: 'formats/safetensors-file',
    });
  return whole;
}

/**
 * Writes tensors into a file (replacing it) without a second copy of them in memory, and flushes it to the disk. The bytes
 * are those of `writeSafetensors`. Not atomic: write to a temporary name and rename. The arrays must not change meanwhile.
 *
 * @throws ShapeError if a tensor's array does not fit its dtype or shape. @throws DataError if a name is reserved or the
 *   file cannot be written.
 */
export async function writeSafetensorsFile(
  path: string,
  tensors: ReadonlyMap<string, SafetensorsTensor | DeferredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<WrittenFile> {
  for (const [name, tensor] of tensors) if ('data' in tensor) checkTensor(name, tensor);
  const plans = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const header = encodeHeader(plans, metadata);
  const handle = await openOr(path, 'w');
  const digest = createHash('sha256');
  try {
    await writeAll(handle, header.bytes, digest);
    for (const { name } of header.entries) {
      await writeAll(handle, tensorBytes(await fetched(name, tensors.get(name)!)), digest);
    }
    await handle.sync();
  } catch (cause) {
    if (cause instanceof FlowError) throw cause;
    throw fileFault(path, 'written whole', cause);
  } finally {
    await handle.close();
  }
  return { bytes: header.bytes.length + (header.entries.at(-1)?.end ?? 0), sha256: digest.digest('hex') };
}

/** An open file whose header has been read and checked; tensors are read when asked for. */
export interface SafetensorsFile {
  /** By name, in the order of their bytes. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Reads one tensor into memory of its own. @throws DataError if there is no such tensor or the file was cut meanwhile. */
  read(name: string): Promise<SafetensorsTensor>;
  close(): Promise<void>;
}

/**
 * Opens a file and reads its header only.
 * @throws DataError if it cannot be read or is damaged: see `headerLength` and `parseHeader`.
 */
export async function openSafetensorsFile(path: string): Promise<SafetensorsFile> {
  const handle = await openOr(path, 'r');
  try {
    return await readHeader(path, handle);
  } catch (cause) {
    await handle.close();
    throw fileFault(path, 'a safetensors file', cause);
  }
}

async function readHeader(path: string, handle: FileHandle): Promise<SafetensorsFile> {
  const { size } = await handle.stat();
  const length = headerLength(await readAt(handle, 0, Math.min(LENGTH_BYTES, size)), size);
  const dataStart = LENGTH_BYTES + length;
  const header = parseHeader(await readAt(handle, LENGTH_BYTES, length), size - dataStart);
  const entries = new Map(header.entries.map((entry) => [entry.name, entry]));
  return {
    entries,
    metadata: header.metadata,
    async read(name) {
      const entry = entries.get(name);
      if (entry === undefined) throw fileFault(path, `a file with tensor ${JSON.stringify(name)}`, 'none of that name');
      return tensorFromBytes(entry, await readAt(handle, dataStart + entry.begin, entry.end - entry.begin));
    },
    close: () => handle.close(),
  };
}
