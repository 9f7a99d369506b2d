import { describe, expect, it } from 'vitest';
import { openVectors } from '../../src/data/open-dataset.ts';
import { drawToyDensity, toyDensities } from '../../src/data/toy-densities.ts';
import { ConfigError } from '../../src/errors.ts';

describe.each(toyDensities)('%s', (name) => {
  const draw = (count: number, seed = 1, split: 'train' | 'test' = 'train') =>
    drawToyDensity(name, { count, seed, split });

  it('gives point i whatever the number of points', () => {
    expect(draw(50).vectors.subarray(0, 20)).toEqual(draw(10).vectors);
  });

  it('gives other points for another seed or split', () => {
    const first = (seed: number, split: 'train' | 'test') => draw(1, seed, split).vectors[0];
    expect(new Set([first(1, 'train'), first(2, 'train'), first(1, 'test')]).size).toBe(3);
  });

  it('fills its classes evenly, inside [-4, 4]', () => {
    const { labels, classes, vectors } = draw(8000);
    const parts = classes?.length ?? 1;
    const counts = new Float64Array(parts);
    for (const label of labels) counts[label]! += 1;
    const share = 8000 / parts;
    for (const count of counts) expect(Math.abs(count - share)).toBeLessThanOrEqual(5 * Math.sqrt(share));
    expect(vectors.every((value) => Math.abs(value) < 4)).toBe(true);
  });
});

describe('a toy density', () => {
  it('lies where its formula says', () => {
    const moons = drawToyDensity('two-moons', { count: 2000, seed: 0, split: 'train' });
    const board = drawToyDensity('checkerboard', { count: 2000, seed: 0, split: 'train' });
    const ring = drawToyDensity('eight-gaussians', { count: 2000, seed: 0, split: 'train' });
    for (let i = 0; i < 2000; i++) {
      const side = moons.labels[i] === 0 ? 1 : -1;
      const radius = Math.hypot(side * moons.vectors[2 * i]! + 0.5, side * moons.vectors[2 * i + 1]! + 0.25);
      expect(Math.abs(radius - 1)).toBeLessThan(0.3);
      const squares = Math.floor(board.vectors[2 * i]!) + Math.floor(board.vectors[2 * i + 1]!);
      expect(Math.abs(squares % 2)).toBe(0);
      const angle = (Math.PI / 4) * ring.labels[i]!;
      const distance = Math.hypot(
        ring.vectors[2 * i]! - 2 * Math.cos(angle),
        ring.vectors[2 * i + 1]! - 2 * Math.sin(angle),
      );
      expect(distance).toBeLessThan(1.2);
    }
  });

  it('is opened by name, with 10,000 points unless told otherwise', async () => {
    expect(await openVectors({ source: 'swiss-roll' })).toMatchObject({ kind: 'vectors', count: 10_000, features: 2 });
    await expect(openVectors({ source: 'two-moons', count: 0 })).rejects.toThrow(ConfigError);
  });
});
