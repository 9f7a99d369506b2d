import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readImages } from '../../src/data/image-dataset.ts';
import { openDataset } from '../../src/data/open-dataset.ts';
import { DataError } from '../../src/errors.ts';
import { temporaryFolders } from './temporary-folder.ts';

const newFolder = temporaryFolders();

/** A record with the given label bytes, and pixels that count up from `first`. */
function record(labels: readonly number[], first: number): Uint8Array {
  return Uint8Array.from([...labels, ...Array.from({ length: 3072 }, (_, i) => (first + i) % 256)]);
}

describe('CIFAR binary files', () => {
  it('reads the batches of CIFAR-10 in order, with names and a test split', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'data_batch_2.bin'), record([7], 2));
    writeFileSync(join(folder, 'data_batch_1.bin'), Buffer.concat([record([3], 0), record([9], 1)]));
    writeFileSync(join(folder, 'test_batch.bin'), record([0], 5));
    writeFileSync(join(folder, 'batches.meta.txt'), 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n');
    const train = await openDataset({ source: folder });
    expect(train).toMatchObject({ count: 3, channels: 3, height: 32, width: 32 });
    expect([...train.labels]).toEqual([3, 9, 7]);
    expect(train.classes?.[7]).toBe('h');
    expect([...(await readImages(train, Uint32Array.of(2))).subarray(0, 3)]).toEqual([2, 3, 4]);
    expect((await openDataset({ source: folder, split: 'test' })).count).toBe(1);
  });

  it('reads fine and coarse labels of CIFAR-100', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'train.bin'), Buffer.concat([record([19, 99], 0), record([1, 5], 1)]));
    const fine = await openDataset({ source: folder, heldOut: null });
    const coarse = await openDataset({ source: folder, heldOut: null, label: 'coarse' });
    expect([...fine.labels]).toEqual([99, 5]);
    expect([...coarse.labels]).toEqual([19, 1]);
    expect(coarse.attributes.map((attribute) => attribute.name)).toEqual(['coarse', 'fine']);
    expect(fine.classes).toHaveLength(100);
  });

  it('tells a single file by its length', async () => {
    const path = join(newFolder(), 'some.bin');
    writeFileSync(path, Buffer.concat([record([3], 0), record([4], 0)]));
    expect((await openDataset({ source: path, heldOut: null })).classes).toHaveLength(10);
  });

  it.each([
    ['cut short', record([3], 0).subarray(1), 'whole records of 3073 bytes; got 3072 bytes'],
    ['empty', new Uint8Array(0), 'whole records of 3073 bytes; got 0 bytes'],
    ['a label out of range', record([10], 0), 'labels below 10; got 10 in record 0'],
  ])('refuses a file that is %s, by name', async (_, bytes, text) => {
    const folder = newFolder();
    writeFileSync(join(folder, 'data_batch_1.bin'), bytes);
    const error = await openDataset({ source: folder }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DataError);
    expect(String(error)).toContain(join(folder, 'data_batch_1.bin'));
    expect(String(error)).toContain(text);
  });
});
