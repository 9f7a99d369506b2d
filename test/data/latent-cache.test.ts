import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type LatentCacheFacts, openLatentCache, readHeader } from '../../src/data/latent-cache.ts';
import { type WriteLatentsOptions, writeLatentCache } from '../../src/data/write-latent-cache.ts';
import { ConfigError, DataError, NumericalError } from '../../src/errors.ts';
import { stream } from '../../src/numerics/stream.ts';
import { temporaryFolders } from './temporary-folder.ts';

const newFolder = temporaryFolders();

const facts: LatentCacheFacts = {
  name: 'a set',
  encoder: 'e'.repeat(64),
  data: 'd'.repeat(64),
  count: 7,
  shape: [2, 2, 1],
  dtype: 'float32',
  flips: true,
};

/** Latents of image `row`: random, of mean 5 and deviation 2 in the second channel. */
function latentsOf(row: number, flipped: number): number[] {
  const random = stream(row, 'latents', flipped);
  return [random.normal(), random.normal(), 5 + 2 * random.normal(), 5 + 2 * random.normal()];
}

/** An encoder that remembers what it was asked for. */
function encoder() {
  const asked: [number, number][] = [];
  const encode: WriteLatentsOptions['encode'] = async (rows, flipped) => {
    rows.forEach((row, i) => {
      asked.push([row, flipped[i]!]);
    });
    return Float32Array.from(Array.from(rows, (row, i) => latentsOf(row, flipped[i]!)).flat());
  };
  return { encode, asked };
}

async function written(change: Partial<LatentCacheFacts> = {}, folder = newFolder()) {
  await writeLatentCache(folder, { ...facts, ...change }, { encode: encoder().encode, chunkRows: 3 });
  return folder;
}

async function contents(folder: string, wanted = facts) {
  const cache = await openLatentCache(folder, wanted);
  if (cache === null) throw new Error('not complete');
  const rows = Uint32Array.from({ length: facts.count }, (_, i) => i);
  const plain = await cache.read(rows, new Uint8Array(rows.length));
  const mirrored = wanted.flips ? await cache.read(rows, new Uint8Array(rows.length).fill(1)) : null;
  return { plain, mirrored, moments: cache.header.moments };
}

describe('a cache of latents', () => {
  it('gives any rows in any order, mirrored or not, as they were encoded', async () => {
    const cache = (await openLatentCache(await written(), facts))!;
    const rows = Uint32Array.of(6, 0, 1, 2, 2, 5);
    const flipped = Uint8Array.of(0, 0, 0, 1, 1, 1);
    const values = await cache.read(rows, flipped);
    expect(values).toEqual(Float32Array.from(Array.from(rows, (row, i) => latentsOf(row, flipped[i]!)).flat()));
  });

  it('keeps mean and standard deviation of each channel', async () => {
    const { plain, mirrored, moments } = await contents(await written());
    for (const channel of [0, 1]) {
      const values = [...plain, ...mirrored!].filter((_, i) => Math.floor(i / 2) % 2 === channel);
      const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
      const variance = values.reduce((sum, one) => sum + (one - mean) ** 2, 0) / values.length;
      expect(moments.mean[channel]).toBeCloseTo(mean, 12);
      expect(moments.deviation[channel]).toBeCloseTo(Math.sqrt(variance), 12);
    }
  });

  it('in float16 has a relative error of at most 2^-11, and half the size', async () => {
    const change = { dtype: 'float16' } as const;
    const folder = await written(change);
    const { plain } = await contents(folder, { ...facts, ...change });
    const exact = await contents(await written());
    plain.forEach((value, i) => {
      expect(Math.abs(value - exact.plain[i]!)).toBeLessThanOrEqual(2 ** -11 * Math.abs(exact.plain[i]!));
    });
    expect(readFileSync(join(folder, 'latents.bin')).length).toBe(7 * 2 * 4 * 2);
  });

  it('is completed to the same bytes after a kill at any byte of a chunk or between any two writes', async () => {
    const whole = await written();
    const files = ['latents.bin', 'header.json'] as const;
    const expected = files.map((name) => readFileSync(join(whole, name)));
    const header = readHeader(whole)!;
    // The disk as a kill leaves it: some chunks told of by the header, and any number of bytes after them.
    for (let bytes = 0; bytes <= expected[0]!.length; bytes += 13) {
      const folder = newFolder();
      const controller = new AbortController();
      const chunks = Math.floor(bytes / (3 * 16));
      const stop = (done: number) => {
        if (done >= chunks * 3) controller.abort();
      };
      if (chunks === 0) controller.abort();
      const options = { encode: encoder().encode, chunkRows: 3, signal: controller.signal, onProgress: stop };
      if (chunks < 5) {
        await expect(writeLatentCache(folder, facts, options)).rejects.toThrow('aborted');
        expect(readHeader(folder)!.checksums.length).toBe(chunks);
        writeFileSync(join(folder, 'latents.bin'), expected[0]!.subarray(0, bytes));
        writeFileSync(join(folder, 'header.json.partial'), '{"format"');
        expect(await openLatentCache(folder, facts)).toBeNull();
      }
      const rest = encoder();
      await writeLatentCache(folder, facts, { encode: rest.encode, chunkRows: 3 });
      expect(rest.asked.length).toBe(14 - Math.min(14, chunks * 3));
      files.forEach((name, i) => {
        expect(readFileSync(join(folder, name)).equals(expected[i]!)).toBe(true);
      });
    }
    expect(header.checksums.length).toBe(5);
  });

  it('encodes again what was cut off or changed, and nothing before it', async () => {
    const folder = await written();
    const path = join(folder, 'latents.bin');
    const bytes = readFileSync(path);
    const damaged = Buffer.from(bytes);
    damaged[3 * 16 + 1]! ^= 1; // in the second chunk
    for (const content of [bytes.subarray(0, 100), damaged]) {
      writeFileSync(path, content);
      await expect(openLatentCache(folder, facts)).rejects.toThrow(DataError);
      const again = encoder();
      await writeLatentCache(folder, facts, { encode: again.encode });
      expect(again.asked[0]).toEqual(content.length === 100 ? [6, 0] : [3, 0]);
      expect(readFileSync(path).equals(bytes)).toBe(true);
    }
    const idle = encoder();
    await writeLatentCache(folder, facts, { encode: idle.encode });
    expect(idle.asked).toEqual([]);
  });

  it('tells the rows written after each chunk', async () => {
    const told: number[][] = [];
    const onProgress = (...args: number[]) => void told.push(args);
    await writeLatentCache(newFolder(), facts, { encode: encoder().encode, chunkRows: 4, onProgress });
    expect(told).toEqual([
      [4, 14],
      [8, 14],
      [12, 14],
      [14, 14],
    ]);
  });

  it('of another encoder is refused with both hashes, and so are other images', async () => {
    const folder = await written();
    const other = { ...facts, encoder: 'f'.repeat(64) };
    const message = `Expected the cache \`${folder}\` to hold latents of the encoder ${other.encoder}; got those of the encoder ${facts.encoder}.`;
    await expect(openLatentCache(folder, other)).rejects.toThrow(message);
    await expect(writeLatentCache(folder, other, encoder())).rejects.toThrow(message);
    await expect(openLatentCache(folder, { ...facts, data: '0'.repeat(64) })).rejects.toThrow('0'.repeat(64));
    await expect(writeLatentCache(folder, { ...facts, dtype: 'float16' }, encoder())).rejects.toThrow('float16');
    await expect(openLatentCache(folder, { ...facts, count: 8 })).rejects.toThrow(ConfigError);
  });

  it('with flips serves a run without, and not the other way round', async () => {
    const withFlips = await contents(await written(), { ...facts, flips: false });
    const without = await written({ flips: false });
    expect((await contents(without, { ...facts, flips: false })).plain).toEqual(withFlips.plain);
    await expect(openLatentCache(without, facts)).rejects.toThrow('mirrored');
  });

  it('with a damaged header is refused', async () => {
    const folder = await written();
    const path = join(folder, 'header.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('a set', 'b set'));
    await expect(openLatentCache(folder, facts)).rejects.toThrow('checksum');
    truncateSync(path, 20);
    await expect(openLatentCache(folder, facts)).rejects.toThrow(DataError);
  });

  it('holds finite numbers only, and in float16 none beyond its range', async () => {
    const encode = async (rows: Uint32Array) => new Float32Array(rows.length * 4).fill(70_000);
    const half = { ...facts, dtype: 'float16' } as const;
    await expect(writeLatentCache(newFolder(), half, { encode })).rejects.toThrow('--dtype float32');
    const broken = async (rows: Uint32Array) => new Float32Array(rows.length * 4).fill(Number.NaN);
    await expect(writeLatentCache(newFolder(), facts, { encode: broken })).rejects.toThrow(NumericalError);
    await writeLatentCache(newFolder(), facts, { encode });
  });
});
