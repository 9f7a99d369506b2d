import { rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { datasetDigest } from '../../src/data/dataset-digest.ts';
import { memoryDataset, subset } from '../../src/data/image-dataset.ts';
import { labelAttribute } from '../../src/data/label-attribute.ts';
import { openDataset } from '../../src/data/open-dataset.ts';
import { DataError } from '../../src/errors.ts';
import { imageFile, writeFiles } from './image-files.ts';
import { temporaryFolders } from './temporary-folder.ts';

const newFolder = temporaryFolders();

/** Two grey images of two pixels. */
function pair(pixels: readonly number[], labels: readonly number[], classes = ['a', 'b']) {
  const shared = new Uint8Array(new SharedArrayBuffer(4));
  shared.set(pixels);
  const shape = { channels: 1, height: 1, width: 2 };
  return memoryDataset('pair', { pixels: shared, shape }, [labelAttribute('pair', labels, classes)]);
}

describe('datasetDigest', () => {
  it('depends on pixels, labels, names of classes and the order, and on nothing else', async () => {
    const digest = await datasetDigest(pair([1, 2, 3, 4], [0, 1]));
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await datasetDigest({ ...pair([1, 2, 3, 4], [0, 1]), name: 'other' })).toBe(digest);
    expect(await datasetDigest(subset(pair([3, 4, 1, 2], [1, 0]), [1, 0]))).toBe(digest);
    const others = [
      pair([1, 2, 3, 5], [0, 1]),
      pair([1, 2, 3, 4], [1, 1]),
      pair([1, 2, 3, 4], [0, 1], ['a', 'c']),
      subset(pair([1, 2, 3, 4], [0, 1]), [1, 0]),
      subset(pair([1, 2, 3, 4], [0, 1]), [0]),
    ];
    const digests = await Promise.all(others.map(datasetDigest));
    expect(new Set([digest, ...digests]).size).toBe(6);
  });

  it('of image files follows the time of their change and how they are fitted', async () => {
    const source = writeFiles(newFolder(), { 'a/1.png': await imageFile(), 'b/2.png': await imageFile() });
    const open = (fit: 'crop' | 'stretch') => openDataset({ source, heldOut: null, fit });
    const digest = await datasetDigest(await open('crop'));
    expect(await datasetDigest(await open('crop'))).toBe(digest);
    expect(await datasetDigest(await open('stretch'))).not.toBe(digest);
    utimesSync(join(source, 'a/1.png'), 1, 1);
    const set = await open('crop');
    expect(await datasetDigest(set)).not.toBe(digest);
    rmSync(join(source, 'a/1.png'));
    await expect(datasetDigest(set)).rejects.toThrow(DataError);
  });
});
