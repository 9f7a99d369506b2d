import { describe, expect, it } from 'vitest';
import { independentCoupling } from '../../src/coupling/independent.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { kolmogorov, normalDistribution } from '../numerics/statistics-of-samples.ts';

function batchOf(rows: number, elements: number, offset = 0) {
  return {
    target: Float32Array.from({ length: rows * elements }, (_, i) => offset + i),
    labels: new Int32Array(rows).fill(offset),
    indices: Uint32Array.from({ length: rows }, (_, i) => offset + i),
    flipped: new Uint8Array(rows),
  };
}

const pair = (batch: ReturnType<typeof batchOf>, seed = 1, imagesSeen = 0) =>
  independentCoupling().pair(batch, { seed, imagesSeen });

describe('the independent coupling', () => {
  it('draws seeds from the seed of the run and the images seen alone', async () => {
    const { seeds, source } = await pair(batchOf(8, 5), 1, 640);
    const other = await pair(batchOf(8, 5, 99), 1, 640);
    expect(other.seeds).toEqual(seeds);
    expect(other.source).toEqual(source);
    expect((await pair(batchOf(8, 5), 2, 640)).seeds).not.toEqual(seeds);
    expect((await pair(batchOf(8, 5), 1, 648)).seeds).not.toEqual(seeds);
  });

  it('does not remember earlier batches', async () => {
    const coupling = independentCoupling();
    await coupling.pair(batchOf(3, 2), { seed: 1, imagesSeen: 0 });
    const later = await coupling.pair(batchOf(3, 2), { seed: 1, imagesSeen: 3 });
    expect(later).toEqual(await pair(batchOf(3, 2), 1, 3));
  });

  it('gives each row the normals of its seed', async () => {
    const { seeds, source, cost } = await pair(batchOf(64, 100));
    expect(source).toEqual(normalsFromSeeds(seeds, 100));
    expect(new Set(seeds).size).toBe(64);
    expect(kolmogorov(source, normalDistribution)).toBeLessThan(1.95);
    expect(cost).toBeNull();
  });

  it('has no state, and refuses that of another coupling', () => {
    const coupling = independentCoupling();
    expect(coupling.state()).toEqual({});
    coupling.restore({});
    expect(() => coupling.restore({ 'seeds.0': new Uint32Array(1) })).toThrow(
      'Expected no coupling state; got seeds.0. In coupling/independent.',
    );
  });
});
