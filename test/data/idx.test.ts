import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeIdx, readIdx } from '../../src/data/idx.ts';
import { openDataset } from '../../src/data/open-dataset.ts';
import { DataError } from '../../src/errors.ts';
import { temporaryFolders } from './temporary-folder.ts';

const newFolder = temporaryFolders();

function write(bytes: Uint8Array, name = 'train-images-idx3-ubyte'): string {
  const path = join(newFolder(), name);
  writeFileSync(path, bytes);
  return path;
}

const images = encodeIdx(
  [2, 2, 3],
  Uint8Array.from({ length: 12 }, (_, i) => i),
);

describe('readIdx', () => {
  it('reads what encodeIdx wrote, plain or gzip', async () => {
    const axes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(axes, fc.boolean(), async (shape, packed) => {
        const values = Uint8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => (i * 37) % 256);
        const bytes = encodeIdx(shape, values);
        const read = await readIdx(write(packed ? gzipSync(bytes) : bytes));
        expect(read.shape).toEqual(shape);
        expect([...read.values]).toEqual([...values]);
      }),
      { numRuns: 30 },
    );
  });

  it('stops at every cut of a file with a DataError that names it', async () => {
    const folder = newFolder();
    for (const bytes of [images, gzipSync(images)]) {
      for (let length = 0; length < bytes.length; length++) {
        const path = join(folder, `cut-${length}`);
        writeFileSync(path, bytes.subarray(0, length));
        const error = await readIdx(path).catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(DataError);
        expect(String(error)).toContain(path);
        expect(String(error)).toContain('Try ');
      }
    }
  });

  it('survives any change of a byte: it reads something or says why not', async () => {
    const folder = newFolder();
    const packed = gzipSync(images);
    for (const [kind, bytes] of Object.entries({ plain: images, packed })) {
      for (let at = 0; at < bytes.length; at++) {
        const path = join(folder, `${kind}-${at}`);
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= 0xff;
        writeFileSync(path, changed);
        const outcome = await readIdx(path).catch((caught: unknown) => caught);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(DataError);
      }
    }
  });

  it('believes no header that the size of the file contradicts', async () => {
    const header = encodeIdx([2 ** 31, 2 ** 12, 2 ** 12], new Uint8Array(0));
    for (const bytes of [header, gzipSync(header)]) {
      await expect(readIdx(write(bytes))).rejects.toThrow(
        /at most \d+ bytes of values, as its size allows; got \[2147483648,4096,4096\]/,
      );
    }
  });

  it('says what is too much', async () => {
    const path = write(Uint8Array.of(...images, 0));
    await expect(readIdx(path)).rejects.toThrow(
      `Expected \`${path}\` to be an IDX file: to end after [2,2,3] values; got more bytes.`,
    );
  });

  it('names a path that is missing or a folder', async () => {
    const folder = newFolder();
    await expect(readIdx(join(folder, 'none'))).rejects.toThrow(/none` to be readable; got ENOENT/);
    await expect(readIdx(folder)).rejects.toThrow('it is not a regular file');
  });
});

describe('a set in IDX files', () => {
  it('finds images, labels and splits by their names in a folder', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'train-images-idx3-ubyte.gz'), gzipSync(images));
    writeFileSync(join(folder, 'train-labels-idx1-ubyte'), encodeIdx([2], Uint8Array.of(3, 0)));
    writeFileSync(join(folder, 't10k-images-idx3-ubyte'), images);
    const train = await openDataset({ source: folder });
    expect(train).toMatchObject({ count: 2, channels: 1, height: 2, width: 3, classes: ['0', '1', '2', '3'] });
    expect([...train.labels]).toEqual([3, 0]);
    expect((await openDataset({ source: folder, split: 'test' })).classes).toBeNull();
  });

  it('refuses labels of another count', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'train-images-idx3-ubyte'), images);
    writeFileSync(join(folder, 'train-labels-idx1-ubyte'), encodeIdx([3], new Uint8Array(3)));
    await expect(openDataset({ source: folder })).rejects.toThrow(
      /to hold one label for each of the 2 images of .*; got axes \[3\]/,
    );
  });

  it('takes colours from the last or the second axis', async () => {
    const values = Uint8Array.from({ length: 12 }, (_, i) => i);
    const last = await openDataset({ source: write(encodeIdx([1, 2, 2, 3], values)), heldOut: null });
    const second = await openDataset({ source: write(encodeIdx([1, 3, 2, 2], values)), heldOut: null });
    expect([...(last.source.store.kind === 'memory' ? last.source.store.pixels : [])]).toEqual([
      0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11,
    ]);
    expect([...(second.source.store.kind === 'memory' ? second.source.store.pixels : [])]).toEqual([...values]);
    await expect(openDataset({ source: write(encodeIdx([1, 2, 2, 2], new Uint8Array(8))) })).rejects.toThrow(
      /1 or 3 channels; got axes \[1, 2, 2, 2\]/,
    );
  });
});
