import { describe, expect, it } from 'vitest';
import type { Coupling } from '../../src/coupling/coupling.ts';
import { type LoomOptions, loomCoupling } from '../../src/coupling/loom.ts';
import { optimalPairing } from '../../src/coupling/optimal-pairing.ts';
import { drawSeeds } from '../../src/coupling/seed-cache.ts';
import { pairCost } from '../../src/coupling/transport-cost.ts';
import { type CouplingData, wholeCostOf } from '../../src/coupling/whole-cost.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { batchesOf, batchOf, dataOf, normalData, plainLoom, tools } from './pairing-tools.ts';

const loom = (data: CouplingData, options: Partial<LoomOptions> = {}, seed = 1) =>
  loomCoupling({ options: { ...plainLoom, ...options }, data, tools, seed });

const seedsOf = (coupling: Coupling) => coupling.state().seeds as Uint32Array;
const sorted = (values: Uint32Array) => values.slice().sort();

/** Pairs and commits batches of random orders of the data; the pairings. */
async function paired(coupling: Coupling, data: CouplingData, { batch = 8, batches = 40, from = 0 } = {}) {
  const next = batchesOf(data, batch);
  for (let i = 0; i < from; i++) await next();
  const pairings = [];
  for (let i = from; i < from + batches; i++) {
    const pairing = await coupling.pair(await next(), { seed: 1, imagesSeen: i * batch });
    pairing.commit?.();
    pairings.push(pairing);
  }
  return pairings;
}

describe('LOOM', () => {
  it('gives each datum the noise of its own seed, and puts the exchanged seeds back into the same places', async () => {
    const data = normalData(20, 3);
    const coupling = loom(data);
    const before = seedsOf(coupling);
    const batch = await batchOf(data, Uint32Array.of(4, 11, 0, 19));
    const pairing = await coupling.pair(batch, { seed: 1, imagesSeen: 0 });
    expect(pairing.source).toEqual(normalsFromSeeds(pairing.seeds, 3));
    expect(pairing.target).toBe(batch.target);
    expect(sorted(pairing.seeds)).toEqual(sorted(batch.indices.map((index) => before[index])));
    expect(seedsOf(coupling)).toEqual(before);
    pairing.commit?.();
    const after = seedsOf(coupling);
    for (const [row, index] of batch.indices.entries()) expect(after[index]).toBe(pairing.seeds[row]);
    for (const [index, seed] of before.entries()) if (!batch.indices.includes(index)) expect(after[index]).toBe(seed);
  });

  it('conserves the multiset of its seeds for ever, with mirrored data and several caches', async () => {
    const data = normalData(30, 4, { mirrored: true });
    const coupling = loom(data, { caches: 3 });
    expect(seedsOf(coupling)).toHaveLength(2 * 30 * 3);
    await paired(coupling, data, { batches: 60 });
    expect(sorted(seedsOf(coupling))).toEqual(sorted(drawSeeds(180, 1)));
    expect(seedsOf(coupling)).not.toEqual(drawSeeds(180, 1));
  });

  it('never costs more than before: the cost of the whole set falls from batch to batch', async () => {
    const data = normalData(60, 2);
    const coupling = loom(data);
    const cost = async () => (await wholeCostOf(coupling.kept!(), { data, seed: 1, cost: 'squared' })).cost;
    let last = await cost();
    const first = last;
    for (const next = batchesOf(data, 6), { length } = [...Array(60)]; coupling.state().paired[0] < 6 * length; ) {
      const imagesSeen = coupling.state().paired[0];
      const { report, commit } = await coupling.pair(await next(), { seed: 1, imagesSeen });
      commit?.();
      const now = await cost();
      expect(now).toBeLessThanOrEqual(last + 1e-12);
      expect((last - now) * 60).toBeCloseTo(6 * (report!.costBefore - report!.cost), 9);
      last = now;
    }
    expect(last).toBeLessThan(0.5 * first);
  });

  it('ends without a negative cycle of up to as many pairs as a batch has', async () => {
    const size = 9;
    const data = normalData(size, 2, { seed: 5 });
    const coupling = loom(data);
    await paired(coupling, data, { batch: 3, batches: 900 });
    const rows = {
      target: await data.read(
        Uint32Array.from({ length: size }, (_, i) => i),
        new Uint8Array(size),
      ),
      source: normalsFromSeeds(seedsOf(coupling), 2),
      elements: 2,
    };
    const cost = (x: number, z: number) => pairCost('squared', rows, [x, z]);
    const gain = (cycle: readonly number[]) =>
      cycle.reduce((sum, x, i) => sum + cost(x, x) - cost(x, cycle[(i + 1) % cycle.length]), 0);
    for (let a = 0; a < size; a++) {
      for (let b = 0; b < size; b++) {
        if (b === a) continue;
        expect(gain([a, b])).toBeLessThanOrEqual(1e-9);
        for (let c = 0; c < size; c++) if (c !== a && c !== b) expect(gain([a, b, c])).toBeLessThanOrEqual(1e-9);
      }
    }
  });

  it('chooses one of the caches at random, and leaves the others alone', async () => {
    const data = normalData(400, 2);
    const coupling = loom(data, { caches: 4 });
    const before = seedsOf(coupling);
    await paired(coupling, data, { batch: 400, batches: 1 });
    const changed = [0, 0, 0, 0];
    seedsOf(coupling).forEach((seed, slot) => {
      if (seed !== before[slot]) changed[slot % 4]++;
    });
    // Of 400 rows nearly all are reassigned, each in one of four caches: 100 ± 4 standard deviations of 8.7.
    for (const count of changed) expect(Math.abs(count - 98)).toBeLessThan(40);
    expect(changed.reduce((a, b) => a + b)).toBeLessThanOrEqual(400);
  });

  it('pairs a batch that holds a datum twice one round after the other', async () => {
    const data = normalData(5, 2);
    const coupling = loom(data);
    const batch = await batchOf(data, Uint32Array.of(3, 1, 3, 0, 3));
    const pairing = await coupling.pair(batch, { seed: 1, imagesSeen: 0 });
    pairing.commit?.();
    expect(sorted(seedsOf(coupling))).toEqual(sorted(drawSeeds(5, 1)));
    // A second meeting within the batch sees the seed that the first one left.
    expect(pairing.seeds[2]).toBe(seedsOf(coupling)[3]);
    expect(pairing.seeds[4]).toBe(seedsOf(coupling)[3]);
  });

  it('is determined by seed and images seen, and goes on from its state as if uninterrupted', async () => {
    const data = normalData(40, 3, { mirrored: true });
    const options = { caches: 2, refresh: { kind: 'gradual', probability: 0.1 }, interpolate: 0.7 } as const;
    const whole = loom(data, options);
    const all = await paired(whole, data, { batches: 30 });
    const first = loom(data, options);
    await paired(first, data, { batches: 17 });
    // A pairing that no step has used is not part of the state.
    await first.pair(await batchOf(data, Uint32Array.of(1, 2, 3)), { seed: 1, imagesSeen: 17 * 8 });
    const second = loom(data, options);
    second.restore(first.state());
    const rest = await paired(second, data, { batches: 13, from: 17 });
    expect(rest.map(({ seeds }) => seeds)).toEqual(all.slice(17).map(({ seeds }) => seeds));
    expect(second.state()).toEqual(whole.state());
  });
});

describe('the switches of LOOM', () => {
  it('keep the source fixed', async () => {
    const data = normalData(24, 2);
    const coupling = loom(data, { reassign: false });
    const pairings = await paired(coupling, data);
    expect(seedsOf(coupling)).toEqual(drawSeeds(24, 1));
    for (const { report, seeds } of pairings) {
      expect(report!.reassigned).toBe(0);
      expect(seeds.every((seed) => drawSeeds(24, 1).includes(seed))).toBe(true);
    }
  });

  it('forget the exchange, with fresh noise each time', async () => {
    const data = normalData(24, 2);
    const coupling = loom(data, { keep: false });
    const pairings = await paired(coupling, data);
    expect(seedsOf(coupling)).toEqual(drawSeeds(24, 1));
    const used = pairings.flatMap(({ seeds }) => [...seeds]);
    expect(new Set(used).size).toBe(used.length);
    for (const { report } of pairings) expect(report!.cost).toBeLessThan(report!.costBefore);
  });

  it('draw all noises anew every so many images', async () => {
    const data = normalData(24, 2);
    const coupling = loom(data, { refresh: { kind: 'all', everyImages: 40 } });
    await paired(coupling, data, { batches: 5 });
    expect(sorted(seedsOf(coupling))).toEqual(sorted(drawSeeds(24, 1)));
    await paired(coupling, data, { batches: 1, from: 5 });
    expect(sorted(seedsOf(coupling))).toEqual(sorted(drawSeeds(24, 1, 1)));
    await paired(coupling, data, { batches: 4, from: 6 });
    expect(sorted(seedsOf(coupling))).toEqual(sorted(drawSeeds(24, 1, 1)));
    await paired(coupling, data, { batches: 1, from: 10 });
    expect(sorted(seedsOf(coupling))).toEqual(sorted(drawSeeds(24, 1, 2)));
  });

  it('draw noises anew with a probability', async () => {
    const data = normalData(200, 1);
    const coupling = loom(data, { refresh: { kind: 'gradual', probability: 0.2 } });
    await paired(coupling, data, { batch: 200, batches: 1 });
    const old = new Set(drawSeeds(200, 1));
    const renewed = seedsOf(coupling).filter((seed) => !old.has(seed)).length;
    expect(Math.abs(renewed - 40)).toBeLessThan(4 * Math.sqrt(200 * 0.2 * 0.8));
  });

  it('mix in fresh noise that is not kept', async () => {
    const data = normalData(300, 2);
    const coupling = loom(data, { interpolate: 0.7 });
    const [{ seeds, source, cost }] = await paired(coupling, data, { batch: 300, batches: 1 });
    const kept = new Set(drawSeeds(300, 1));
    const fresh = seeds.filter((seed) => !kept.has(seed)).length;
    expect(Math.abs(fresh - 90)).toBeLessThan(4 * Math.sqrt(300 * 0.3 * 0.7));
    expect(source).toEqual(normalsFromSeeds(seeds, 2));
    expect(cost).toHaveLength(300);
    expect(sorted(seedsOf(coupling))).toEqual(sorted(drawSeeds(300, 1)));
  });

  it('pair before training, in the order of the data', async () => {
    const data = normalData(24, 2);
    const coupling = loom(data, { trainAfter: 64 });
    const { preliminary } = coupling;
    expect(coupling.preliminaryImages).toBe(64);
    const next = batchesOf(data, 8);
    while (preliminary!.done < preliminary!.total) await preliminary!.advance(next);
    const straight = loom(data);
    await paired(straight, data, { batches: 8 });
    expect(coupling.state()).toEqual(straight.state());
  });
});

describe('noise of a label', () => {
  /** Mean of the noise that each label keeps along the direction in which the labels differ, in standard errors. */
  async function bias(perClass: boolean): Promise<number[]> {
    const count = 600;
    const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
    const rows = normalsFromSeeds(Uint32Array.from(labels.keys()), 2).map((value, i) =>
      i % 2 === 0 ? 0.3 * value + 2 * (labels[i >> 1] - 1) : value,
    );
    const data = dataOf(rows, 2, labels);
    const coupling = loom(data, { perClass });
    await paired(coupling, data, { batch: 60, batches: 200 });
    const noise = normalsFromSeeds(seedsOf(coupling), 2);
    return [0, 1, 2].map((label) => {
      const own = noise.filter((_, i) => i % 2 === 0 && labels[i >> 1] === label);
      return (own.reduce((a, b) => a + b, 0) / own.length) * Math.sqrt(own.length);
    });
  }

  it('is biased where labels exchange noises with each other: each label moves to its own side', async () => {
    const [left, middle, right] = await bias(false);
    expect(left).toBeLessThan(-10);
    expect(Math.abs(middle)).toBeLessThan(6);
    expect(right).toBeGreaterThan(10);
  });

  it('stays standard normal where noises are exchanged within a label', async () => {
    for (const standardErrors of await bias(true)) expect(Math.abs(standardErrors)).toBeLessThan(3.5);
  });
});

describe('the polygon of figure 8', () => {
  /** Data at every other corner of a regular polygon with 2n corners, noises a little beyond the corners between them. */
  function polygon(n: number) {
    const corner = (angle: number) => [Math.cos(angle), Math.sin(angle)];
    const step = (2 * Math.PI) / n;
    const target = Float32Array.from({ length: n }, (_, i) => i).length;
    const points = (offset: number) =>
      Float32Array.from(Array.from({ length: target }, (_, i) => corner(step * i + offset)).flat());
    return { target: points(0), source: points(step / 2 + 0.1 * step), elements: 2 };
  }

  const options = { kind: 'squared', groups: null, nearIdentity: true } as const;

  it('holds a pairing that no batch smaller than the whole improves, though it is not the best', async () => {
    const n = 7;
    const { target, source } = polygon(n);
    for (let subset = 1; subset < 2 ** n - 1; subset++) {
      const rows = Array.from({ length: n }, (_, i) => i).filter((i) => (subset >> i) & 1);
      const take = (values: Float32Array) =>
        Float32Array.from(rows.flatMap((row) => [values[2 * row], values[2 * row + 1]]));
      const batch = { target: take(target), source: take(source), elements: 2 };
      expect((await optimalPairing(batch, options, tools)).reassigned).toBe(0);
    }
    const { sourceOf, reassigned } = await optimalPairing({ target, source, elements: 2 }, options, tools);
    expect(reassigned).toBe(n);
    expect(Array.from(sourceOf)).toEqual(Array.from({ length: n }, (_, i) => (i + n - 1) % n));
  });
});
