/** What every coupling keeps. */
import { describe, expect, it } from 'vitest';
import type { Coupling, Pairing } from '../../src/coupling/coupling.ts';
import { independentCoupling } from '../../src/coupling/independent.ts';
import { loomCoupling } from '../../src/coupling/loom.ts';
import { minibatchOtCoupling } from '../../src/coupling/minibatch-ot.ts';
import { semidiscreteCoupling } from '../../src/coupling/semidiscrete.ts';
import { sinkhornCoupling } from '../../src/coupling/sinkhorn.ts';
import { alignedCosts, type CostKind } from '../../src/coupling/transport-cost.ts';
import { hostArgmaxProducts } from '../../src/numerics/argmax-products.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { batchesOf, batchOf, normalData, plainLoom, tools } from '../coupling/pairing-tools.ts';
import { kolmogorov, normalDistribution } from '../numerics/statistics-of-samples.ts';

const elements = 6;
const data = normalData(640, elements, { spread: 2 });
const sinkhornOptions = {
  cost: 'squared',
  perClass: false,
  epsilon: 0.2,
  tolerance: 1e-4,
  maxIterations: 10_000,
  sources: 'once',
} as const;
const semidiscreteOptions = {
  noisesPerImage: 20,
  fitBatch: 32,
  rate: 4,
  slowing: 2,
  perClass: false,
  memoryBytes: 2 ** 20,
} as const;

interface Law {
  readonly make: () => Coupling;
  readonly cost?: CostKind;
  /** Pairs are exchanged within labels alone. */
  readonly perClass?: true;
  /** The data of the batch are replaced. */
  readonly choosesData?: true;
  /** Noises may repeat within a batch, so that its noise is no sample of the normal distribution. */
  readonly repeats?: true;
}

const loom = (change: object) =>
  loomCoupling({ options: { ...plainLoom, caches: 2, ...change }, data, tools, seed: 1 });
const semidiscrete = (change: object) =>
  semidiscreteCoupling({
    options: { ...semidiscreteOptions, ...change },
    data,
    openProducts: hostArgmaxProducts,
    seed: 1,
  });

const couplings: Readonly<Record<string, Law>> = {
  independent: { make: () => independentCoupling() },
  'minibatch-ot': { make: () => minibatchOtCoupling({ cost: 'squared', perClass: false }, tools) },
  'minibatch-ot by l2': { make: () => minibatchOtCoupling({ cost: 'l2', perClass: false }, tools), cost: 'l2' },
  'minibatch-ot within labels': {
    make: () => minibatchOtCoupling({ cost: 'squared', perClass: true }, tools),
    perClass: true,
  },
  sinkhorn: { make: () => sinkhornCoupling(sinkhornOptions, tools) },
  'sinkhorn within labels': {
    make: () => sinkhornCoupling({ ...sinkhornOptions, perClass: true }, tools),
    perClass: true,
  },
  'sinkhorn with replacement': {
    make: () => sinkhornCoupling({ ...sinkhornOptions, sources: 'with-replacement' }, tools),
    repeats: true,
  },
  loom: { make: () => loom({}) },
  'loom by l2': { make: () => loom({ cost: 'l2' }), cost: 'l2' },
  'loom within labels': { make: () => loom({ perClass: true }), perClass: true },
  semidiscrete: { make: () => semidiscrete({}), choosesData: true },
  'semidiscrete within labels': { make: () => semidiscrete({ perClass: true }), choosesData: true },
};

const batch = () =>
  batchOf(
    data,
    Uint32Array.from({ length: 32 }, (_, i) => 7 * i),
  );
const context = { seed: 1, imagesSeen: 128 };

/** A coupling that has done its work before the first step. */
async function prepared({ make }: Law): Promise<Coupling> {
  const coupling = make();
  const { preliminary } = coupling;
  while (preliminary !== undefined && preliminary.done < preliminary.total) await preliminary.advance(batch);
  return coupling;
}

/** Pairings of an epoch of batches, each committed. */
async function epochOf(law: Law): Promise<Pairing[]> {
  const coupling = await prepared(law);
  const next = batchesOf(data, 32);
  const pairings: Pairing[] = [];
  for (let imagesSeen = 0; imagesSeen < data.count; imagesSeen += 32) {
    const pairing = await coupling.pair(await next(), { seed: 1, imagesSeen });
    pairing.commit?.();
    pairings.push(pairing);
  }
  return pairings;
}

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;

describe.each(Object.entries(couplings))('the coupling %s', (_name, law) => {
  it('gives each datum the normals of one seed, and the data as the batch has them unless it chooses data', async () => {
    const given = await batch();
    const { source, seeds, target, labels } = await (await prepared(law)).pair(given, context);
    expect(source).toEqual(normalsFromSeeds(seeds, elements));
    if (law.repeats !== true) expect(new Set(seeds).size).toBe(32);
    expect([target.length, labels.length]).toEqual([32 * elements, 32]);
    if (law.choosesData === true) return;
    expect(target).toEqual(given.target);
    expect(labels).toEqual(given.labels);
  });

  it('is a function of the seed of the run and the images seen', async () => {
    const pair = async (imagesSeen: number) => (await prepared(law)).pair(await batch(), { seed: 1, imagesSeen });
    const pairing = await pair(128);
    expect((await pair(128)).seeds).toEqual(pairing.seeds);
    expect((await pair(160)).seeds).not.toEqual(pairing.seeds);
  });

  it('costs less than independent pairs where it costs anything, and says what it costs', async () => {
    let [before, after] = [0, 0];
    for (const { cost, report, source, target } of await epochOf(law)) {
      if (report === null) {
        expect(cost).toBeNull();
        return;
      }
      expect(report.rows).toBe(32);
      expect(report.cost).toBeCloseTo(mean(cost!), 10);
      expect(cost).toEqual(alignedCosts(law.cost ?? 'squared', { source, target, elements }));
      before += report.costBefore;
      after += report.cost;
    }
    expect(after).toBeLessThan(0.95 * before);
  });

  it('leaves the noise of an epoch standard normal', async () => {
    // One noise that is drawn for several data counts several times.
    if (law.repeats === true) return;
    const noise = (await epochOf(law)).flatMap(({ source }) => [...source]);
    expect(kolmogorov(Float32Array.from(noise), normalDistribution)).toBeLessThan(1.95);
  });

  it('gives a datum noise of its own label, where it says so', async () => {
    if (law.perClass !== true) return;
    const given = await batch();
    const coupling = law.make();
    const kept = coupling.kept?.();
    const { seeds: drawn } = await independentCoupling().pair(given, context);
    const { seeds } = await coupling.pair(given, context);
    for (const [row, seed] of seeds.entries()) {
      const origin =
        kept === undefined ? given.labels[drawn.indexOf(seed)] : data.labels[kept.rows[kept.seeds.indexOf(seed)]];
      expect(origin).toBe(given.labels[row]);
    }
  });
});
