import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readImages } from '../../src/data/image-dataset.ts';
import { openDataset } from '../../src/data/open-dataset.ts';
import { readPixels } from '../../src/data/read-pixels.ts';
import { DataError } from '../../src/errors.ts';
import { cutFile, imageFile, noiseFile, writeFiles } from './image-files.ts';
import { temporaryFolders } from './temporary-folder.ts';

const newFolder = temporaryFolders();
const all = { heldOut: null } as const;

describe('a folder of images', () => {
  it('takes labels from class folders, in the order of names, whatever is below them', async () => {
    const image = await imageFile();
    const source = writeFiles(newFolder(), {
      'dog/2.png': image,
      'dog/1.png': image,
      'cat/deep/er/1.png': image,
      'Zebra/1.png': image,
      'empty/readme.txt': 'no image',
      '.hidden/1.png': image,
      'notes.txt': 'no image',
    });
    const set = await openDataset({ source, ...all });
    expect(set.classes).toEqual(['Zebra', 'cat', 'dog']);
    expect([...set.labels]).toEqual([0, 1, 2, 2]);
    expect(set.skipped).toEqual([]);
    expect(set.source.store.kind === 'files' && set.source.store.files).toEqual(
      ['Zebra/1.png', 'cat/deep/er/1.png', 'dog/1.png', 'dog/2.png'].map((name) => join(source, name)),
    );
  });

  it('has label 0 and no classes when it is flat', async () => {
    const source = writeFiles(newFolder(), { 'b.png': await imageFile(), 'a.PNG': await imageFile() });
    const set = await openDataset({ source, ...all });
    expect(set).toMatchObject({ count: 2, classes: null, attributes: [] });
    expect([...set.labels]).toEqual([0, 0]);
  });

  it.each(['png', 'jpeg', 'webp', 'gif', 'avif', 'tiff'] as const)('reads %s', async (format) => {
    const source = writeFiles(newFolder(), { [`a.${format}`]: await imageFile({ format, colour: [200, 40, 90] }) });
    const set = await openDataset({ source, ...all });
    const pixels = await readImages(set, Uint32Array.of(0));
    expect(pixels).toHaveLength(48);
    [200, 40, 90].forEach((value, channel) => {
      for (const pixel of pixels.subarray(16 * channel, 16 * (channel + 1)))
        expect(Math.abs(pixel - value)).toBeLessThan(6);
    });
  });

  it('is grey if every image is, else coloured; and as asked', async () => {
    const grey = await imageFile({ colour: [77] });
    const folder = writeFiles(newFolder(), { '1.png': grey });
    expect((await openDataset({ source: folder, ...all })).channels).toBe(1);
    const red = writeFiles(newFolder(), { '1.png': grey, '2.png': await imageFile() });
    const mixed = await openDataset({ source: red, ...all });
    expect(mixed.channels).toBe(3);
    expect([...(await readImages(mixed, Uint32Array.of(0)))]).toEqual(Array(48).fill(77));
    const forced = await openDataset({ source: red, channels: 1, ...all });
    expect([...(await readImages(forced, Uint32Array.of(0)))]).toEqual(Array(16).fill(77));
  });

  it('puts transparency on white', async () => {
    const source = writeFiles(newFolder(), { '1.png': await imageFile({ colour: [0, 0, 0, 0] }) });
    const set = await openDataset({ source, ...all });
    expect([...(await readImages(set, Uint32Array.of(0)))]).toEqual(Array(48).fill(255));
  });

  it('turns images as their EXIF orientation says', async () => {
    const bytes = await sharp(await imageFile({ width: 6, height: 2 }))
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const set = await openDataset({ source: writeFiles(newFolder(), { '1.jpg': bytes }), ...all });
    expect(set).toMatchObject({ height: 6, width: 2 });
  });

  it.each([
    ['crop', [10, 10, 10, 10]],
    ['pad', [255, 255, 10, 10, 10, 10, 255, 255]],
  ] as const)('brings images to one size by %s', async (fit, middle) => {
    const source = writeFiles(newFolder(), {
      '1.png': await imageFile({ width: 16, height: 8, colour: [10, 10, 10] }),
    });
    const size = middle.length;
    const set = await openDataset({ source, size, fit, ...all });
    expect(set).toMatchObject({ height: size, width: size });
    const column = Array.from({ length: size }, (_, y) => y * size + size / 2);
    const pixels = await readImages(set, Uint32Array.of(0));
    expect(column.map((place) => pixels[place])).toEqual(middle);
  });

  it('asks for a size when images differ', async () => {
    const source = writeFiles(newFolder(), { '1.png': await imageFile(), '2.png': await imageFile({ width: 9 }) });
    await expect(openDataset({ source })).rejects.toThrow(
      /to be 4 x 4 like .*1\.png; got 9 x 4 in .*2\.png\. .* Try the option `size`/,
    );
  });

  it('uses train and test folders as splits', async () => {
    const image = await imageFile();
    const source = writeFiles(newFolder(), { 'train/a/1.png': image, 'train/b/2.png': image, 'val/a/1.png': image });
    expect((await openDataset({ source })).count).toBe(2);
    expect((await openDataset({ source, split: 'test' })).count).toBe(1);
  });

  it('refuses images beside class folders', async () => {
    const source = writeFiles(newFolder(), { '1.png': await imageFile(), 'a/1.png': await imageFile() });
    await expect(openDataset({ source })).rejects.toThrow(/either images or a folder for each class; got both/);
  });
});

describe('files that are no images', () => {
  async function hostileFolder(): Promise<string> {
    const source = writeFiles(newFolder(), {
      'a/good.png': await imageFile(),
      'a/text.png': 'this is text',
      'a/empty.jpg': '',
      'a/picture.png': '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>',
      'a/only-magic.png': Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
      'a/only-magic.webp': 'RIFF\0\0\0\0WEBP',
      'b/good.png': await imageFile(),
    });
    symlinkSync(join(source, 'nowhere'), join(source, 'a/dangling.png'));
    mkdirSync(join(source, 'b/folder.png'));
    return source;
  }

  it('are left out with their names and what is wrong', async () => {
    const set = await openDataset({ source: await hostileFolder(), ...all });
    expect([...set.labels]).toEqual([0, 1]);
    const faults = Object.fromEntries(set.skipped.map(({ file, reason }) => [file.split('/').at(-1), reason]));
    expect(Object.keys(faults).sort()).toEqual([
      'dangling.png',
      'empty.jpg',
      'only-magic.png',
      'only-magic.webp',
      'picture.png',
      'text.png',
    ]);
    expect(faults['empty.jpg']).toBe('the file is empty');
    expect(faults['text.png']).toMatch(/does not start like/);
  });

  it('are met at reading when nothing is verified', async () => {
    const source = writeFiles(newFolder(), { '1.png': 'text', '2.png': await imageFile(), '3.png': 'text' });
    const set = await openDataset({ source, verify: 'nothing', ...all });
    expect([set.count, set.skipped.length]).toEqual([2, 1]);
    const outcome = await readPixels(set.source, { wanted: Uint32Array.of(1), out: new Uint8Array(48) });
    expect([...outcome.used]).toEqual([0]);
    expect(outcome.skipped.map(({ file }) => file)).toEqual([join(source, '3.png')]);
  });

  it('end the opening when it is strict', async () => {
    const source = await hostileFolder();
    const error = await openDataset({ source, strict: true }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DataError);
    expect(String(error)).toMatch(/a\/dangling\.png` to be a readable image; got .* Try to remove or replace the file/);
  });

  it.skipIf(process.platform === 'win32')('do not block when they are pipes', async () => {
    const source = writeFiles(newFolder(), { '1.png': await imageFile() });
    execFileSync('mkfifo', [join(source, '2.png')]);
    expect((await openDataset({ source, ...all })).skipped[0]?.reason).toBe('it is not a regular file');
  });

  it('cannot ask for absurd amounts of memory', async () => {
    const png = await imageFile();
    // Width and height of a PNG stand at bytes 16 and 20; the checksum at 29 is then wrong as well.
    const huge = Uint8Array.from(png);
    new DataView(huge.buffer).setUint32(16, 100_000);
    new DataView(huge.buffer).setUint32(20, 100_000);
    const set = await openDataset({ source: writeFiles(newFolder(), { '1.png': huge, '2.png': png }), ...all });
    expect(set.count).toBe(1);
    expect(set.skipped[0]?.file).toMatch(/1\.png$/);
  });

  it('make a DataError when nothing else is there', async () => {
    await expect(openDataset({ source: writeFiles(newFolder(), { 'a.png': 'text' }) })).rejects.toThrow(
      /got 1 unreadable ones, such as .*a\.png/,
    );
    await expect(openDataset({ source: newFolder() })).rejects.toThrow(/to hold a readable image; got none/);
    await expect(openDataset({ source: join(newFolder(), 'none') })).rejects.toThrow(
      /none` to be readable; got ENOENT/,
    );
    await expect(openDataset({ source: writeFiles(newFolder(), { x: 'text' }).concat('/x') })).rejects.toThrow(
      /to be an IDX .* file; got 4 bytes that start with "text"/,
    );
  });
});

describe('an image whose pixels are cut short', () => {
  async function cutFolder(): Promise<string> {
    return writeFiles(newFolder(), {
      '1.png': await imageFile({ width: 64, height: 64, colour: [1, 1, 1] }),
      '2.png': await cutFile(64),
      '3.png': await cutFile(64),
      '4.png': await imageFile({ width: 64, height: 64, colour: [4, 4, 4] }),
    });
  }

  it('is replaced by the next readable one, and named', async () => {
    const set = await openDataset({ source: await cutFolder(), ...all });
    expect(set.count).toBe(4);
    for (let repeat = 0; repeat < 2; repeat++) {
      const out = new Uint8Array(3 * 64 * 64 * 3);
      const outcome = await readPixels(set.source, { wanted: Uint32Array.of(1, 0, 2), out });
      expect([...outcome.used]).toEqual([3, 0, 3]);
      expect([out[0], out[3 * 64 * 64], out[2 * 3 * 64 * 64]]).toEqual([4, 1, 4]);
      expect(new Set(outcome.skipped.map(({ file }) => file.slice(-5)))).toEqual(new Set(['2.png', '3.png']));
    }
  });

  it.each(['png', 'jpeg', 'webp', 'gif', 'avif'] as const)('is noticed in %s', async (format) => {
    const source = writeFiles(newFolder(), {
      [`1.${format}`]: await cutFile(64, format),
      '2.png': await imageFile({ width: 64, height: 64 }),
    });
    const set = await openDataset({ source, verify: 'pixels', ...all });
    expect(set.skipped.map(({ file }) => file)).toEqual([`${source}/1.${format}`]);
    expect(set.count).toBe(1);
  });

  it('ends the reading when it is strict', async () => {
    const set = await openDataset({ source: await cutFolder(), strict: true, ...all });
    await expect(readImages(set, Uint32Array.of(1))).rejects.toThrow(/2\.png` to be a readable image/);
  });

  it('is left out on opening when pixels are verified', async () => {
    const set = await openDataset({ source: await cutFolder(), verify: 'pixels', ...all });
    expect(set.count).toBe(2);
    expect(set.skipped.map(({ file }) => file.slice(-5)).sort()).toEqual(['2.png', '3.png']);
  });

  it('is an error when no image is readable', async () => {
    const source = writeFiles(newFolder(), { '1.png': await cutFile(64) });
    const set = await openDataset({ source, ...all });
    await expect(readImages(set, Uint32Array.of(0))).rejects.toThrow('Expected at least one readable image');
  });
});

describe('the cache of decoded images', () => {
  it('changes nothing but the time', async () => {
    const source = writeFiles(newFolder(), { '1.png': await noiseFile(16), '2.png': await noiseFile(16) });
    const cached = await openDataset({ source, ...all });
    const uncached = await openDataset({ source, cacheBytes: 0, ...all });
    const rows = Uint32Array.of(1, 0, 1);
    const first = await readImages(cached, rows);
    expect(await readImages(cached, rows)).toEqual(first);
    expect(await readImages(uncached, rows)).toEqual(first);
    expect(uncached.source.store).toMatchObject({ kind: 'files', cache: null });
  });
});
