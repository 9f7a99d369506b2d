import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { holdOut, readImages, subset } from '../../src/data/image-dataset.ts';
import { hasTestSplit, openDataset } from '../../src/data/open-dataset.ts';
import { ConfigError } from '../../src/errors.ts';

const everyRow = (count: number) => Uint32Array.from({ length: count }, (_, row) => row);
const countsOf = (labels: Int32Array, classes: number) =>
  Array.from({ length: classes }, (_, label) => labels.filter((value) => value === label).length);

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('fashion', () => {
  it.each([
    ['train', 10_000, 1000],
    ['test', 2000, 200],
  ] as const)('has a balanced %s split of %d images', async (split, count, perClass) => {
    const set = await openDataset({ source: 'fashion', split });
    expect(set).toMatchObject({ name: 'fashion', count, channels: 1, height: 28, width: 28 });
    expect(set.classes?.[9]).toBe('ankle boot');
    expect(countsOf(set.labels, 10)).toEqual(Array(10).fill(perClass));
  });

  it('never changes', async () => {
    const set = await openDataset({ source: 'fashion', split: 'test' });
    expect(hash(await readImages(set, everyRow(2000)))).toMatchInlineSnapshot(
      `"96315b1732ab731e68b8def3c284f34b605f7deb7a61e683c7d786265c827c83"`,
    );
  });

  it('keeps the size it was stored with', async () => {
    await expect(openDataset({ source: 'fashion', size: 32 })).rejects.toThrow(ConfigError);
  });
});

describe('portraits', () => {
  it('are 997 different images with three attributes', async () => {
    const set = await openDataset({ source: 'portraits', heldOut: null });
    expect(set).toMatchObject({ count: 997, channels: 3, height: 64, width: 64 });
    expect(set.attributes.map(({ name, classes }) => [name, classes.length])).toEqual([
      ['role', 72],
      ['gender', 3],
      ['skin', 6],
    ]);
    const pixels = await readImages(set, everyRow(997));
    const hashes = Array.from({ length: 997 }, (_, row) =>
      createHash('sha256')
        .update(pixels.subarray(row * 12_288, (row + 1) * 12_288))
        .digest('hex'),
    );
    expect(new Set(hashes).size).toBe(997);
    expect(hash(pixels)).toMatchInlineSnapshot(`"a8438f50fa6a85bc7b63b33bda1cda790defc2e8d4a84a02c6e1238c76616d5e"`);
    // Drawings on white: most corners are.
    const corners = hashes.filter((_, row) => pixels[row * 12_288] === 255).length;
    expect(corners).toBeGreaterThan(900);
  });

  it('carry the labels that their code points say', async () => {
    const skin = await openDataset({ source: 'portraits', heldOut: null, label: 'skin' });
    const gender = await openDataset({ source: 'portraits', heldOut: null, label: 'gender' });
    expect(countsOf(skin.labels, 6)).toEqual([172, 165, 165, 165, 165, 165]);
    expect(countsOf(gender.labels, 3)).toEqual([357, 320, 320]);
    // Lighter and darker skin tones of the same portrait follow each other, and grow darker.
    const baby = await readImages(skin, everyRow(6));
    const brightness = [1, 2, 3, 4, 5].map((row) =>
      baby.subarray(row * 12_288, (row + 1) * 12_288).reduce((sum, value) => sum + value, 0),
    );
    expect(brightness).toEqual(brightness.toSorted((a, b) => b - a));
  });

  it('refuse an attribute that they do not have, with those they have', async () => {
    await expect(openDataset({ source: 'portraits', label: 'age' })).rejects.toThrow(
      'Expected `label` to be one of role, gender, skin; got age.',
    );
  });

  it('hold out a tenth by a seed of its own', async () => {
    const train = await openDataset({ source: 'portraits' });
    const test = await openDataset({ source: 'portraits', split: 'test' });
    expect([train.count, test.count]).toEqual([897, 100]);
    const rows = [...train.source.rows, ...test.source.rows].sort((a, b) => a - b);
    expect(rows).toEqual([...everyRow(997)]);
    const other = await openDataset({ source: 'portraits', split: 'test', heldOutSeed: 1 });
    expect([...other.source.rows]).not.toEqual([...test.source.rows]);
    await expect(openDataset({ source: 'portraits', split: 'test', heldOut: null })).rejects.toThrow(ConfigError);
  });
});

describe('hasTestSplit', () => {
  it('is whether `split: test` can be opened', () => {
    expect(hasTestSplit({ source: 'fashion', heldOut: null })).toBe(true);
    expect(hasTestSplit({ source: 'portraits', heldOut: null })).toBe(false);
    expect(hasTestSplit({ source: 'portraits' })).toBe(true);
  });
});

describe('holdOut', () => {
  it('divides every row once, in ascending order, as the seed says', () => {
    const { train, test } = holdOut(103, 0.25, 9);
    expect(test).toHaveLength(26);
    expect([...train, ...test].sort((a, b) => a - b)).toEqual([...everyRow(103)]);
    expect([...test]).toEqual([...test].sort((a, b) => a - b));
    expect(holdOut(103, 0.25, 9).test).toEqual(test);
  });

  it.each([0, 1, -0.1, Number.NaN, 0.001])('refuses the fraction %d of 100 images', (fraction) => {
    expect(() => holdOut(100, fraction, 0)).toThrow(ConfigError);
  });
});

describe('subset', () => {
  it('keeps rows, labels and attributes together, also of a subset', async () => {
    const whole = await openDataset({ source: 'fashion', split: 'test' });
    const part = subset(subset(whole, [5, 3, 3, 8]), [3, 1]);
    expect([...part.labels]).toEqual([whole.labels[8], whole.labels[3]]);
    expect(await readImages(part, Uint32Array.of(0, 1))).toEqual(await readImages(whole, Uint32Array.of(8, 3)));
    expect(() => subset(part, [2])).toThrow('Expected `rows` to be in [0, 2); got 2.');
  });
});
