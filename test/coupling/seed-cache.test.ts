import { describe, expect, it } from 'vitest';
import { drawSeeds, multisetChecksum, seedCache } from '../../src/coupling/seed-cache.ts';

const all = (slots: number) => Uint32Array.from({ length: slots }, (_, slot) => slot);

describe('a cache of seeds', () => {
  it('begins with seeds that the run seed alone determines', () => {
    expect(seedCache(100, 7).seeds).toEqual(drawSeeds(100, 7));
    expect(seedCache(100, 8).seeds).not.toEqual(drawSeeds(100, 7));
    expect(drawSeeds(100, 7, 1)).not.toEqual(drawSeeds(100, 7));
    expect(new Set(drawSeeds(10_000, 7)).size).toBeGreaterThan(9_990);
  });

  it('takes 4 bytes a slot in a checkpoint, and a few more in all', () => {
    const { seeds, checksum, paired } = seedCache(1000, 1).state();
    expect(seeds.byteLength).toBe(4000);
    expect(checksum.byteLength + paired.byteLength).toBe(16);
  });

  it('shows changes at once, and in its state once they are committed, in order', () => {
    const cache = seedCache(4, 1);
    const [a, b, c, d] = cache.seeds;
    const first = cache.begin();
    first.permute(Uint32Array.of(0, 1), Uint32Array.of(b, a));
    first.count(2);
    const second = cache.begin();
    second.permute(Uint32Array.of(1, 2), Uint32Array.of(c, a));
    second.count(2);
    expect(Array.from(cache.seeds)).toEqual([b, c, a, d]);
    expect(cache.paired).toBe(4);
    expect(Array.from(cache.state().seeds)).toEqual([a, b, c, d]);
    expect(() => second.commit()).toThrow('out of order');
  });

  it('is committed step by step', () => {
    const cache = seedCache(3, 1);
    const [a, b, c] = cache.seeds;
    const first = cache.begin();
    first.permute(Uint32Array.of(0, 1), Uint32Array.of(b, a));
    first.count(2);
    const second = cache.begin();
    second.renew(Uint32Array.of(2, 0), Uint32Array.of(11, 12));
    second.count(2);
    first.commit();
    expect(Array.from(cache.state().seeds)).toEqual([b, a, c]);
    expect(Array.from(cache.state().paired)).toEqual([2]);
    second.commit();
    expect(Array.from(cache.state().seeds)).toEqual([12, a, 11]);
    expect(Array.from(cache.state().paired)).toEqual([4]);
  });

  it('notices a seed that was lost', () => {
    const cache = seedCache(10, 1);
    const { commit, permute } = cache.begin();
    permute(Uint32Array.of(0, 1), Uint32Array.of(cache.seeds[0], cache.seeds[0]));
    commit();
    expect(() => cache.state()).toThrow('no longer those that were drawn');
  });

  it('knows multisets apart, and not their order', () => {
    const seeds = drawSeeds(500, 3);
    expect(multisetChecksum(seeds.toReversed())).toEqual(multisetChecksum(seeds));
    for (const [i, other] of [
      [0, seeds[1]],
      [17, seeds[17] ^ 1],
      [499, 0],
    ]) {
      expect(multisetChecksum(seeds.with(i, other))).not.toEqual(multisetChecksum(seeds));
    }
  });

  it('goes on from its state', () => {
    const cache = seedCache(50, 1);
    const change = cache.begin();
    change.renew(Uint32Array.of(3), Uint32Array.of(99));
    change.permute(all(50), cache.seeds.toReversed());
    change.count(50);
    change.commit();
    const restored = seedCache(50, 1);
    restored.restore(cache.state());
    expect(restored.state()).toEqual(cache.state());
    expect(restored.seeds).toEqual(cache.seeds);
    expect(restored.paired).toBe(50);
  });

  it('refuses a state that is not its own', () => {
    const cache = seedCache(5, 1);
    const state = cache.state();
    expect(() => cache.restore({})).toThrow('noise seeds, their checksum and a count of images; got nothing');
    expect(() => cache.restore({ ...state, seeds: new Uint32Array(4) })).toThrow('Expected 5 noise seeds; got 4');
    expect(() => cache.restore({ ...state, more: new Uint32Array(1) })).toThrow('also `more`');
    expect(() => cache.restore({ ...state, seeds: state.seeds.with(0, 1) })).toThrow('an older checkpoint');
  });
});
