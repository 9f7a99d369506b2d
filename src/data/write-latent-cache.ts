import { mkdirSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { DataError, NumericalError } from '../errors.ts';
import { float32ToFloat16, largestFloat16 } from '../formats/half-precision.ts';
import {
  type ChannelMoments,
  cacheRows,
  checkFacts,
  chunkCount,
  dataPath,
  intactChunks,
  type LatentCacheFacts,
  type LatentCacheHeader,
  latentDecoder,
  latentElements,
  readAt,
  readHeader,
  rowBytes,
  rowsOfChunk,
  sha256,
  writeHeader,
} from './latent-cache.ts';

const where = 'data/write-latent-cache';

/** Bytes of a chunk, at most, and its rows, at most: what a kill can cost. */
const chunkLimits = { bytes: 2 ** 23, rows: 1024 };

export interface WriteLatentsOptions {
  /**
   * Latents of some images, float32 [rows, channels, height, width].
   * @param rows     image numbers: uint32 [rows].
   * @param flipped  1 where mirrored: uint8 [rows].
   */
  readonly encode: (rows: Uint32Array, flipped: Uint8Array) => Promise<Float32Array>;
  /** Rows of a chunk; default as many as 8 MiB hold, and at most 1,024. */
  readonly chunkRows?: number;
  /** Aborting ends the writing with the signal's reason; what is written stays. */
  readonly signal?: AbortSignal;
  /** Is told after each chunk how many rows are written, and of how many. */
  readonly onProgress?: (done: number, count: number) => void;
}

/**
 * Writes latents into a folder, or goes on where an earlier writing ended: chunks whose bytes have their checksum are kept, all after them
 * is encoded. A chunk reaches the disk before the header that tells of it; the moments are measured on what is read back at the end, and
 * with them the cache is complete. A process killed at any moment leaves a cache that this function completes.
 *
 * One process at a time may write to a folder.
 * @throws ConfigError if the folder holds a cache of something else; NumericalError if a latent is not finite, or too large for float16;
 *   DataError if the disk refuses.
 */
export async function writeLatentCache(
  folder: string,
  facts: LatentCacheFacts,
  options: WriteLatentsOptions,
): Promise<void> {
  const found = readHeader(folder);
  if (found !== null) checkFacts(folder, found, facts);
  if (found !== null && found.moments !== null && (await isWhole(folder, found))) return;
  const chunkRows = options.chunkRows ?? defaultChunkRows(facts);
  const start: LatentCacheHeader = found ?? { format: 1, ...facts, chunkRows, checksums: [], moments: null };
  try {
    mkdirSync(folder, { recursive: true });
    // `a` makes the file where there is none, and cuts nothing.
    await (await open(dataPath(folder), 'a')).close();
    const handle = await open(dataPath(folder), 'r+');
    try {
      await writeRest(folder, handle, { header: start, options });
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause;
    throw new DataError({
      expected: `\`${folder}\` to be a folder that can be written`,
      got: cause.message,
      where,
      cause,
    });
  }
}

function defaultChunkRows(facts: LatentCacheFacts): number {
  return Math.max(1, Math.min(chunkLimits.rows, Math.floor(chunkLimits.bytes / rowBytes(facts))));
}

async function isWhole(folder: string, header: LatentCacheHeader): Promise<boolean> {
  const handle = await open(dataPath(folder), 'r').catch(() => null);
  try {
    return handle !== null && (await intactChunks(handle, header)) === chunkCount(header);
  } finally {
    await handle?.close();
  }
}

interface Writing {
  readonly header: LatentCacheHeader;
  readonly options: WriteLatentsOptions;
}

async function writeRest(folder: string, handle: FileHandle, { header, options }: Writing): Promise<void> {
  const { signal, onProgress = () => {} } = options;
  const kept = await intactChunks(handle, header);
  let now: LatentCacheHeader = { ...header, checksums: header.checksums.slice(0, kept), moments: null };
  writeHeader(folder, now);
  await handle.truncate(kept === 0 ? 0 : endOfChunk(now, kept - 1) * rowBytes(now));
  for (let chunk = kept; chunk < chunkCount(now); chunk++) {
    signal?.throwIfAborted();
    const { first } = rowsOfChunk(now, chunk);
    const bytes = await encodedChunk(now, chunk, options);
    for (let done = 0; done < bytes.length; ) {
      done += (await handle.write(bytes, done, bytes.length - done, first * rowBytes(now) + done)).bytesWritten;
    }
    await handle.datasync();
    now = { ...now, checksums: [...now.checksums, sha256(bytes)] };
    writeHeader(folder, now);
    onProgress(endOfChunk(now, chunk), cacheRows(now));
  }
  writeHeader(folder, { ...now, moments: await channelMoments(handle, now) });
}

function endOfChunk(header: LatentCacheHeader, chunk: number): number {
  const { first, rows } = rowsOfChunk(header, chunk);
  return first + rows;
}

/** The bytes of a chunk. @throws NumericalError if a value is not finite as it would be stored. */
async function encodedChunk(
  header: LatentCacheHeader,
  chunk: number,
  { encode }: WriteLatentsOptions,
): Promise<Uint8Array> {
  const { first, rows } = rowsOfChunk(header, chunk);
  const all = Array.from({ length: rows }, (_, i) => first + i);
  const latents = await encode(
    Uint32Array.from(all, (row) => row % header.count),
    Uint8Array.from(all, (row) => (row < header.count ? 0 : 1)),
  );
  const largest = header.dtype === 'float16' ? largestFloat16 : Number.MAX_VALUE;
  const stray = latents.findIndex((value) => !(Math.abs(value) <= largest));
  if (stray !== -1) {
    throw new NumericalError({
      expected: `latents of magnitude at most ${header.dtype === 'float16' ? largestFloat16 : 'that of float32'}`,
      got: `${latents[stray]} in image ${all[Math.floor(stray / latentElements(header))]! % header.count}`,
      where,
      ...(header.dtype === 'float16' && Number.isFinite(latents[stray]) ? { remedy: '--dtype float32' } : {}),
    });
  }
  const stored = header.dtype === 'float16' ? float32ToFloat16(latents) : latents;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/** Mean and standard deviation of each channel in two passes over what is stored, in float64. */
async function channelMoments(handle: FileHandle, header: LatentCacheHeader): Promise<ChannelMoments> {
  const [channels, height, width] = header.shape;
  const area = height * width;
  const perChannel = cacheRows(header) * area;
  const zeros = new Float64Array(channels);
  const mean = (await channelSums(handle, header, { centre: zeros, power: 1 })).map((sum) => sum / perChannel);
  const squares = await channelSums(handle, header, { centre: mean, power: 2 });
  return { mean: [...mean], deviation: Array.from(squares, (sum) => Math.sqrt(sum / perChannel)) };
}

/** Sums of (value - centre)^power by channel. */
async function channelSums(
  handle: FileHandle,
  header: LatentCacheHeader,
  { centre, power }: { readonly centre: Float64Array; readonly power: 1 | 2 },
): Promise<Float64Array> {
  const area = header.shape[1] * header.shape[2];
  const decode = latentDecoder(header.dtype);
  const sums = new Float64Array(centre.length);
  for (let chunk = 0; chunk < chunkCount(header); chunk++) {
    const { first, rows } = rowsOfChunk(header, chunk);
    const bytes = new Uint8Array(rows * rowBytes(header));
    await readAt(handle, bytes, first * rowBytes(header));
    const values = new Float32Array(rows * latentElements(header));
    decode(bytes, values);
    for (let start = 0; start < values.length; start += area) {
      const channel = (start / area) % centre.length;
      let sum = 0;
      for (let i = start; i < start + area; i++) {
        const difference = values[i] - centre[channel];
        sum += power === 1 ? difference : difference * difference;
      }
      sums[channel] += sum;
    }
  }
  return sums;
}
