/** What every coupling keeps. */
import { describe, expect, it } from 'vitest';
import type { Coupling } from '../../src/coupling/coupling.ts';
import { independentCoupling } from '../../src/coupling/independent.ts';
import { loomCoupling } from '../../src/coupling/loom.ts';
import { minibatchOtCoupling } from '../../src/coupling/minibatch-ot.ts';
import { sinkhornCoupling } from '../../src/coupling/sinkhorn.ts';
import { alignedCosts } from '../../src/coupling/transport-cost.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { batchesOf, batchOf, normalData, tools } from '../coupling/pairing-tools.ts';
import { kolmogorov, normalDistribution } from '../numerics/statistics-of-samples.ts';

const elements = 6;
const data = normalData(64, elements, { spread: 2 });
const loomOptions = {
  caches: 2,
  cost: 'squared',
  perClass: false,
  reassign: true,
  keep: true,
  trainAfter: 0,
  refresh: null,
  interpolate: 1,
} as const;
const sinkhornOptions = {
  cost: 'squared',
  perClass: false,
  epsilon: 0.2,
  tolerance: 1e-4,
  maxIterations: 10_000,
  sources: 'once',
} as const;

interface Law {
  readonly make: () => Coupling;
  /** Whether the noise of a batch is a permutation of what was drawn or kept for it. */
  readonly permutes: boolean;
  /** Whether pairs are exchanged within labels alone. */
  readonly perClass?: boolean;
}

const couplings: Readonly<Record<string, Law>> = {
  independent: { make: () => independentCoupling(), permutes: true },
  'minibatch-ot': { make: () => minibatchOtCoupling({ cost: 'squared', perClass: false }, tools), permutes: true },
  'minibatch-ot by l2': { make: () => minibatchOtCoupling({ cost: 'l2', perClass: false }, tools), permutes: true },
  'minibatch-ot within labels': {
    make: () => minibatchOtCoupling({ cost: 'squared', perClass: true }, tools),
    permutes: true,
    perClass: true,
  },
  sinkhorn: { make: () => sinkhornCoupling(sinkhornOptions, tools), permutes: true },
  'sinkhorn within labels': {
    make: () => sinkhornCoupling({ ...sinkhornOptions, perClass: true }, tools),
    permutes: true,
    perClass: true,
  },
  'sinkhorn with replacement': {
    make: () => sinkhornCoupling({ ...sinkhornOptions, sources: 'with-replacement' }, tools),
    permutes: false,
  },
  loom: { make: () => loomCoupling({ options: loomOptions, data, tools, seed: 1 }), permutes: true },
  'loom within labels': {
    make: () => loomCoupling({ options: { ...loomOptions, perClass: true }, data, tools, seed: 1 }),
    permutes: true,
    perClass: true,
  },
};

const batch = () =>
  batchOf(
    data,
    Uint32Array.from({ length: 32 }, (_, i) => 2 * i),
  );
const context = { seed: 1, imagesSeen: 128 };
/** Noise seeds before any exchange: of the same coupling with its rows' own noise, by their multiset. */
const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;

describe.each(Object.entries(couplings))('the coupling %s', (_name, { make, permutes, perClass = false }) => {
  it('keeps the data in their order, and gives each the normals of one seed', async () => {
    const given = await batch();
    const pairing = await make().pair(given, context);
    expect(pairing.target).toEqual(given.target);
    expect(pairing.labels).toEqual(given.labels);
    expect(pairing.source).toEqual(normalsFromSeeds(pairing.seeds, elements));
    if (permutes) expect(new Set(pairing.seeds).size).toBe(32);
  });

  it('is a function of the seed of the run and the images seen', async () => {
    const pairing = await make().pair(await batch(), context);
    expect((await make().pair(await batch(), context)).seeds).toEqual(pairing.seeds);
    expect((await make().pair(await batch(), { ...context, imagesSeen: 160 })).seeds).not.toEqual(pairing.seeds);
  });

  it('costs no more than independent pairs, and says what it costs', async () => {
    const coupling = make();
    const next = batchesOf(data, 32);
    let [before, after] = [0, 0];
    for (let i = 0; i < 20; i++) {
      const { cost, report, source, target, commit } = await coupling.pair(await next(), {
        seed: 1,
        imagesSeen: 32 * i,
      });
      commit?.();
      if (report === null || cost === null) {
        expect([report, cost]).toEqual([null, null]);
        return;
      }
      expect(report.rows).toBe(32);
      expect(report.cost).toBeCloseTo(mean(cost), 10);
      if (_name !== 'minibatch-ot by l2') expect(cost).toEqual(alignedCosts('squared', { source, target, elements }));
      before += report.costBefore;
      after += report.cost;
    }
    expect(after).toBeLessThan(0.95 * before);
  });

  it('leaves the noise standard normal over all', async () => {
    const coupling = make();
    const next = batchesOf(data, 32);
    const noise: number[] = [];
    for (let i = 0; i < 60; i++) {
      const { source, commit } = await coupling.pair(await next(), { seed: 3, imagesSeen: 32 * i });
      commit?.();
      noise.push(...source);
    }
    // Kept noises are few and come again: their own distance is larger.
    expect(kolmogorov(Float32Array.from(noise.slice(-64 * elements)), normalDistribution)).toBeLessThan(1.95);
  });

  it('gives a datum noise of its own label, where it says so', async () => {
    if (!perClass) return;
    const given = await batch();
    const plain = independentCoupling();
    const drawn = (await plain.pair(given, context)).seeds;
    const { seeds } = await make().pair(given, context);
    for (const [row, seed] of seeds.entries()) {
      const origin = drawn.indexOf(seed);
      if (origin >= 0) expect(given.labels[origin]).toBe(given.labels[row]);
    }
  });
});
