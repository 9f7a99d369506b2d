import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readImages } from '../../src/data/image-dataset.ts';
import { openDataset, openVectors } from '../../src/data/open-dataset.ts';
import { DataError } from '../../src/errors.ts';
import type { NpyArray } from '../../src/formats/npy.ts';
import { writeNpz } from '../../src/formats/npz.ts';
import { temporaryFolders } from './temporary-folder.ts';

const newFolder = temporaryFolders();

function write(arrays: { readonly [name: string]: NpyArray }): string {
  const path = join(newFolder(), 'set.npz');
  writeFileSync(path, writeNpz(new Map(Object.entries(arrays))));
  return path;
}

const counting = (length: number) => Uint8Array.from({ length }, (_, i) => i);

describe('.npz files', () => {
  it('hold images in either layout, with integer labels', async () => {
    const labels: NpyArray = { dtype: 'int64', shape: [2], data: BigInt64Array.of(1n, 0n) };
    const last = write({ arr_0: { dtype: 'uint8', shape: [2, 2, 2, 3], data: counting(24) }, arr_1: labels });
    const first = write({ images: { dtype: 'uint8', shape: [2, 3, 2, 2], data: counting(24) } });
    const grey = write({ x: { dtype: 'uint8', shape: [2, 4, 3], data: counting(24) }, y: labels });
    const a = await openDataset({ source: last, heldOut: null });
    expect([...a.labels]).toEqual([1, 0]);
    expect([...(await readImages(a, Uint32Array.of(1)))]).toEqual([12, 15, 18, 21, 13, 16, 19, 22, 14, 17, 20, 23]);
    const b = await openDataset({ source: first, heldOut: null });
    expect(b.classes).toBeNull();
    expect([...(await readImages(b, Uint32Array.of(0)))]).toEqual([...counting(12)]);
    expect(await openDataset({ source: grey, heldOut: null })).toMatchObject({ channels: 1, height: 4, width: 3 });
  });

  it('hold vectors of floats', async () => {
    const source = write({ x: { dtype: 'float64', shape: [2, 3], data: Float64Array.of(0, 1, 2, 3, 4, 5) } });
    const set = await openVectors({ source });
    expect(set).toMatchObject({ count: 2, features: 3, classes: null });
    expect([...set.vectors]).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it.each([
    ['images of floats', { x: { dtype: 'float32', shape: [1, 2, 2], data: new Float32Array(4) } }, 'dtype uint8'],
    [
      'no known array',
      { z: { dtype: 'uint8', shape: [1, 2, 2], data: new Uint8Array(4) } },
      'an array named images, x, arr_0; got arrays z',
    ],
    ['no image', { x: { dtype: 'uint8', shape: [0, 2, 2], data: new Uint8Array(0) } }, 'got axes [0, 2, 2]'],
    [
      'too few labels',
      {
        x: { dtype: 'uint8', shape: [2, 2, 2], data: new Uint8Array(8) },
        y: { dtype: 'uint8', shape: [1], data: new Uint8Array(1) },
      },
      'one label for each of the 2 rows; got labels [1]',
    ],
    [
      'a negative label',
      {
        x: { dtype: 'uint8', shape: [1, 2, 2], data: new Uint8Array(4) },
        y: { dtype: 'int32', shape: [1], data: Int32Array.of(-1) },
      },
      'integers in [0, 100000); got -1 for image 0',
    ],
  ] satisfies [string, { readonly [name: string]: NpyArray }, string][])(
    'are refused with %s',
    async (_, arrays, text) => {
      const source = write(arrays);
      const error = await openDataset({ source }).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(DataError);
      expect(String(error)).toContain(source);
      expect(String(error)).toContain(text);
    },
  );

  it('are refused with a vector that is not finite', async () => {
    const source = write({ x: { dtype: 'float32', shape: [2, 1], data: Float32Array.of(0, Number.NaN) } });
    await expect(openVectors({ source })).rejects.toThrow('finite values; got NaN in vector 1');
  });

  it('are named when they are damaged', async () => {
    const source = join(newFolder(), 'bad.npz');
    writeFileSync(source, 'PK\x03\x04 and then nothing');
    await expect(openDataset({ source })).rejects.toThrow(DataError);
    await expect(openDataset({ source })).rejects.toThrow(source);
  });
});
