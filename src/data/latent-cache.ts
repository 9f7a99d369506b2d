/**
 * Latents of a whole set on disk: a folder with `latents.bin` (the values, row after row) and `header.json` (what they are). Row i is
 * image i; with flips, row count + i is image i mirrored. Values are little-endian, [channels, height, width] a row.
 */
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, DataError } from '../errors.ts';
import { decodeFloat16 } from '../formats/half-precision.ts';
import { eachConcurrently } from './each-concurrently.ts';

const where = 'data/latent-cache';

/** How values are stored: float16 halves the size, with a relative error of at most 2^-11. */
export type LatentDtype = 'float16' | 'float32';

/** What latents are of. */
export interface LatentCacheFacts {
  /** What a person calls the images. */
  readonly name: string;
  /** SHA-256 of the encoder, in hexadecimal digits. */
  readonly encoder: string;
  /** SHA-256 of the images, likewise. */
  readonly data: string;
  /** Number of images. */
  readonly count: number;
  /** [channels, height, width] of one image's latents. */
  readonly shape: readonly [number, number, number];
  readonly dtype: LatentDtype;
  /** Whether each image is there mirrored, too. */
  readonly flips: boolean;
}

/** Mean and standard deviation of the stored values of each channel, float64 [channels]. */
export interface ChannelMoments {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** What `header.json` holds, and how far the cache is. */
export interface LatentCacheHeader extends LatentCacheFacts {
  readonly format: 1;
  /** Rows of a chunk; the last may have fewer. */
  readonly chunkRows: number;
  /** SHA-256 of the bytes of each chunk that is written. */
  readonly checksums: readonly string[];
  /** `null` until every chunk is written and has been read back. */
  readonly moments: ChannelMoments | null;
}

/** A cache that is complete. */
export interface LatentCache {
  readonly header: LatentCacheHeader & { readonly moments: ChannelMoments };
  /**
   * Latents of some images as they were encoded (not normalised), float32 [rows, channels, height, width].
   * @param rows     image numbers: uint32 [rows].
   * @param flipped  1 where mirrored: uint8 [rows].
   * @throws DataError if the file was cut meanwhile, or mirrored images are asked of a cache without.
   */
  read(rows: Uint32Array, flipped: Uint8Array): Promise<Float32Array>;
}

export function dataPath(folder: string): string {
  return join(folder, 'latents.bin');
}

function headerPath(folder: string): string {
  return join(folder, 'header.json');
}

export function cacheRows({ count, flips }: LatentCacheFacts): number {
  return count * (flips ? 2 : 1);
}

/** Numbers of one image's latents. */
export function latentElements({ shape }: Pick<LatentCacheFacts, 'shape'>): number {
  return shape[0] * shape[1] * shape[2];
}

/** Bytes of one row. */
export function rowBytes(facts: LatentCacheFacts): number {
  return latentElements(facts) * (facts.dtype === 'float16' ? 2 : 4);
}

/** The rows of a chunk. */
export function rowsOfChunk(
  header: LatentCacheHeader,
  chunk: number,
): { readonly first: number; readonly rows: number } {
  const first = chunk * header.chunkRows;
  return { first, rows: Math.min(header.chunkRows, cacheRows(header) - first) };
}

export function chunkCount(header: LatentCacheHeader): number {
  return Math.ceil(cacheRows(header) / header.chunkRows);
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Writes the header under another name first, so that it is never there in part. */
export function writeHeader(folder: string, header: LatentCacheHeader): void {
  const content = JSON.stringify(header);
  const partial = `${headerPath(folder)}.partial`;
  writeFileSync(partial, `${JSON.stringify({ ...header, sha256: sha256(content) }, null, 1)}\n`, { flush: true });
  renameSync(partial, headerPath(folder));
}

function damaged(folder: string, got: string, cause?: unknown): DataError {
  return new DataError({
    expected: `\`${folder}\` to hold an intact cache of latents`,
    got,
    where,
    remedy: 'to remove the folder; its latents are then encoded again',
    cause,
  });
}

/** Header of a cache; `null` if the folder holds none. @throws DataError if it is damaged. */
export function readHeader(folder: string): LatentCacheHeader | null {
  let text: string;
  try {
    text = readFileSync(headerPath(folder), 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw damaged(folder, `a header that cannot be read: ${code}`, cause);
  }
  try {
    const { sha256: checksum, ...header } = JSON.parse(text) as LatentCacheHeader & { readonly sha256: string };
    if (header.format !== 1) throw new Error(`format ${header.format}`);
    if (checksum !== sha256(JSON.stringify(header))) throw new Error('a header whose checksum differs');
    return header;
  } catch (cause) {
    throw damaged(folder, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/**
 * @param wanted  without a dtype: any will do.
 * @throws ConfigError if a cache is of something else: both hashes are named where encoder or images differ.
 */
export function checkFacts(
  folder: string,
  found: LatentCacheFacts,
  { dtype = found.dtype, ...wanted }: Omit<LatentCacheFacts, 'dtype'> & Partial<LatentCacheFacts>,
): void {
  const remedy = 'another folder for the cache, or to remove this one; the latents are then encoded again';
  const refuse = (expected: string, got: string) =>
    new ConfigError({ expected: `the cache \`${folder}\` to hold ${expected}`, got, where, remedy });
  if (found.encoder !== wanted.encoder) {
    throw refuse(`latents of the encoder ${wanted.encoder}`, `those of the encoder ${found.encoder}`);
  }
  if (found.data !== wanted.data) {
    throw refuse(
      `the images ${wanted.data} (${wanted.name})`,
      `the images ${found.data} (${found.name}): others, or files that were changed`,
    );
  }
  const shapes = [wanted, found].map(({ count, shape }) => `${count} x ${shape.join(' x ')}`);
  if (shapes[0] !== shapes[1]) throw refuse(`${shapes[0]} latents`, shapes[1]!);
  if (dtype !== found.dtype) throw refuse(dtype, found.dtype);
  if (wanted.flips && !found.flips) throw refuse('mirrored images, too', 'none: it was made without flips');
}

/** Fills `bytes` from a position of a file. @throws DataError if the file ends before. */
export async function readAt(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, position + done);
    if (bytesRead === 0) {
      throw new DataError({ expected: `${bytes.length} bytes at ${position}`, got: `${done} bytes`, where });
    }
    done += bytesRead;
  }
}

/** Stored bytes -> float32. */
export function latentDecoder(dtype: LatentDtype): (bytes: Uint8Array, out: Float32Array) => void {
  if (dtype === 'float32') {
    return ({ buffer, byteOffset }, out) => out.set(new Float32Array(buffer, byteOffset, out.length));
  }
  const table = Float32Array.from({ length: 65536 }, (_, pattern) => decodeFloat16(pattern));
  return ({ buffer, byteOffset }, out) => {
    const bits = new Uint16Array(buffer, byteOffset, out.length);
    for (let i = 0; i < out.length; i++) out[i] = table[bits[i]];
  };
}

/** Rows of the file that follow each other, and where they go. */
interface RowRun {
  readonly first: number;
  readonly place: number;
  length: number;
}

function rowRuns(rows: readonly number[]): RowRun[] {
  const runs: RowRun[] = [];
  rows.forEach((row, place) => {
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.length === row) last.length += 1;
    else runs.push({ first: row, place, length: 1 });
  });
  return runs;
}

/**
 * Opens a cache, having read all of it once against its checksums. Rows are then read at their positions, so that memory is bounded
 * whatever the size: Node has no memory-mapped files, but the operating system keeps in its page cache what fits.
 * @returns `null` if there is no cache, or it is not complete.
 * @throws ConfigError if it is of something else (see `checkFacts`); DataError if it is damaged.
 */
export async function openLatentCache(
  folder: string,
  wanted: Omit<LatentCacheFacts, 'dtype'>,
): Promise<LatentCache | null> {
  const header = readHeader(folder);
  if (header === null) return null;
  checkFacts(folder, header, wanted);
  const { moments } = header;
  if (moments === null) return null;
  const intact = await withValues(folder, (handle) => intactChunks(handle, header));
  if (intact < chunkCount(header)) throw damaged(folder, `values whose checksum differs, in chunk ${intact}`);
  return { header: { ...header, moments }, read: rowReader(folder, header) };
}

/** Opens the values for as long as `use` takes, so that a cache that nobody reads holds no file open. */
async function withValues<T>(folder: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(dataPath(folder), 'r').catch((cause: NodeJS.ErrnoException) => {
    throw damaged(folder, `no readable values: ${cause.code}`, cause);
  });
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

/** How many chunks from the first on have the bytes that their checksums say. */
export async function intactChunks(handle: FileHandle, header: LatentCacheHeader): Promise<number> {
  const bytesOfRow = rowBytes(header);
  const { size } = await handle.stat();
  for (const [chunk, checksum] of header.checksums.entries()) {
    const { first, rows } = rowsOfChunk(header, chunk);
    if (size < (first + rows) * bytesOfRow) return chunk;
    const bytes = new Uint8Array(rows * bytesOfRow);
    await readAt(handle, bytes, first * bytesOfRow);
    if (sha256(bytes) !== checksum) return chunk;
  }
  return header.checksums.length;
}

function rowReader(folder: string, header: LatentCacheHeader): LatentCache['read'] {
  const elements = latentElements(header);
  const bytesOfRow = rowBytes(header);
  const decode = latentDecoder(header.dtype);
  return async (rows, flipped) => {
    if (!header.flips && flipped.includes(1)) throw damaged(folder, 'no mirrored images');
    const values = new Float32Array(rows.length * elements);
    const runs = rowRuns(Array.from(rows, (row, i) => row + (flipped[i] === 1 ? header.count : 0)));
    await withValues(folder, (handle) =>
      eachConcurrently(runs.length, async (i) => {
        const { first, place, length } = runs[i];
        const bytes = new Uint8Array(length * bytesOfRow);
        await readAt(handle, bytes, first * bytesOfRow);
        decode(bytes, values.subarray(place * elements, (place + length) * elements));
      }),
    );
    return values;
  };
}
