import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { arrangeGrid, writeImageGrid } from '../../src/data/image-grid.ts';
import { ShapeError } from '../../src/errors.ts';
import { temporaryFolders } from './temporary-folder.ts';

const newFolder = temporaryFolders();

describe('arrangeGrid', () => {
  it('places images row by row on white', () => {
    const grid = arrangeGrid({ pixels: Uint8Array.of(1, 2, 3), shape: [3, 1, 1, 1] }, { columns: 2, padding: 1 });
    const w = 255;
    expect(grid).toMatchObject({ channels: 1, height: 5, width: 5 });
    expect([...grid.pixels]).toEqual([w, w, w, w, w, w, 1, w, 2, w, w, w, w, w, w, w, 3, w, w, w, w, w, w, w, w]);
  });

  it('turns a pixel into a square and channels into colours', () => {
    const grid = arrangeGrid({ pixels: Uint8Array.of(9, 8, 7), shape: [1, 3, 1, 1] }, { padding: 0, scale: 2 });
    expect([...grid.pixels]).toEqual([9, 8, 7, 9, 8, 7, 9, 8, 7, 9, 8, 7]);
  });

  it.each([
    [[1, 2, 1, 1], 2, {}],
    [[1, 1, 2, 2], 3, {}],
    [[1, 1, 1, 1], 1, { columns: 0 }],
    [[1, 1, 1, 1], 1, { padding: -1 }],
    [[1, 1, 1, 1], 1, { scale: 1.5 }],
  ] as const)('refuses shape %j with %d bytes and options %j', (shape, bytes, options) => {
    expect(() => arrangeGrid({ pixels: new Uint8Array(bytes), shape }, options)).toThrow(ShapeError);
  });
});

describe('writeImageGrid', () => {
  it.each([1, 3])(
    'writes a PNG of %d channels without loss, equal bytes each time, and leaves no other file',
    async (channels) => {
      const folder = join(newFolder(), 'new');
      const shape = [6, channels, 5, 4] as const;
      const pixels = Uint8Array.from({ length: 120 * channels }, (_, i) => (i * 101) % 256);
      await writeImageGrid(join(folder, 'a.png'), { pixels, shape });
      await writeImageGrid(join(folder, 'b.png'), { pixels, shape });
      expect(readdirSync(folder).sort()).toEqual(['a.png', 'b.png']);
      const bytes = readFileSync(join(folder, 'a.png'));
      expect(bytes.equals(readFileSync(join(folder, 'b.png')))).toBe(true);
      expect(await sharp(bytes).metadata()).toMatchObject({ channels, width: 20, height: 16 });
      const data = await sharp(bytes)
        .toColourspace(channels === 1 ? 'b-w' : 'srgb')
        .raw()
        .toBuffer();
      expect([...data]).toEqual([...arrangeGrid({ pixels, shape }).pixels]);
    },
  );
});
