import { describe, expect, it } from 'vitest';
import { followExactFlow, pathDeviation } from '../../src/analysis/exact-flow.ts';
import {
  type PruningPlan,
  type PruningProgress,
  pruningStability,
  randomSubset,
} from '../../src/analysis/pruning-stability.ts';
import { hostClosedForm } from '../../src/closed-form/host-closed-form.ts';
import { drawGaussianMixture } from '../../src/data/gaussian-mixture.ts';
import { roundedField } from '../../src/experiments/exact-field.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { euler } from '../../src/sampling/solvers/euler.ts';
import { uniformGrid } from '../../src/sampling/time-grid.ts';
import { dataRows } from '../closed-form/data-rows.ts';

const seedsTo = (count: number) => Uint32Array.from({ length: count }, (_, seed) => seed);
const all = (count: number) => Uint32Array.from({ length: count }, (_, row) => row);

const base = { solver: euler, times: uniformGrid(20), batch: 64, seeds: seedsTo(40) } satisfies Partial<PruningPlan>;

const fieldOf = (vectors: Float32Array, elements: number) => roundedField(hostClosedForm(dataRows(vectors, elements)));

const mixture = (dimension: number, count: number) =>
  drawGaussianMixture({ dimension, components: 5, spread: 1, width: 0.7, count, seed: 1 });

describe('a random subset', () => {
  it('has what remains, in order, and depends on seed and fraction', () => {
    const kept = randomSubset(100, 0.3, 5);
    expect(kept).toHaveLength(70);
    expect([...kept]).toEqual([...new Set(kept)].sort((a, b) => a - b));
    expect(kept.at(-1)).toBeLessThan(100);
    expect(randomSubset(100, 0.3, 5)).toEqual(kept);
    expect(randomSubset(100, 0.3, 6)).not.toEqual(kept);
    expect(randomSubset(100, 0, 5)).toEqual(all(100));
    // A shared order would make the smaller subset a part of the larger one.
    const fewer = randomSubset(100, 0.6, 5);
    expect([...fewer].every((row) => kept.includes(row))).toBe(false);
  });

  it('keeps every datum equally often', () => {
    const times = new Uint32Array(10);
    for (let seed = 0; seed < 2000; seed++) for (const row of randomSubset(10, 0.7, seed)) times[row]!++;
    for (const count of times) expect(Math.abs(count - 600)).toBeLessThan(4.5 * Math.sqrt(2000 * 0.3 * 0.7));
  });

  it.each([1, -0.1, 0.96, Number.NaN])('refuses the fraction %d of ten data', (fraction) => {
    expect(() => randomSubset(10, fraction, 0)).toThrow('that leaves at least one of 10 data');
  });
});

describe('the stability under pruning', () => {
  it('is perfect where nothing is removed: no assignment changes, and no trajectory deviates at all', async () => {
    const { vectors } = mixture(6, 50);
    const subsets = [{ name: 'all', kept: all(50) }];
    const { subsets: found } = await pruningStability(fieldOf(vectors, 6), { ...base, subsets });
    expect(found[0]!.unchanged).toMatchObject({ hits: 40, trials: 40, share: 1 });
    const nothing = { median: 0, p95: 0, count: 40 };
    expect(found[0]).toMatchObject({ kept: 50, removed: 0, deviation: nothing, deviationOfAll: nothing });
  });

  it('is perfect where only far data are removed that balance each other', async () => {
    // With both signs of every datum the mean is 0 on either set, so that time 0, when all have the same weight, tells nothing.
    const { vectors } = mixture(6, 30);
    const near = Float32Array.from([...vectors, ...vectors.map((value) => -value)]);
    const far = Float32Array.from({ length: 12 * 6 }, (_, i) => (i % 2 === 0 ? 500 : -500));
    const field = fieldOf(Float32Array.from([...near, ...far, ...far.map((value) => -value)]), 6);
    const subsets = [{ name: 'near', kept: all(60) }];
    const { subsets: found } = await pruningStability(field, { ...base, subsets });
    expect(found[0]!.unchanged).toMatchObject({ hits: 40, trials: 40 });
    expect(found[0]!.deviationOfAll.p95).toBeLessThan(1e-4);
  });

  it('counts as a brute force over single noises does', async () => {
    const { vectors } = mixture(3, 60);
    const field = fieldOf(vectors, 3);
    const kept = randomSubset(60, 0.5, 2);
    const { subsets, baseline } = await pruningStability(field, {
      ...base,
      batch: 6,
      subsets: [{ name: 'half', kept }],
    });
    const part = Float32Array.from([...kept].flatMap((row) => [...vectors.subarray(3 * row, 3 * row + 3)]));
    const deviations: number[] = [];
    const everyDeviation: number[] = [];
    let [hits, trials] = [0, 0];
    for (const seed of base.seeds) {
      const x0 = normalsFromSeeds(Uint32Array.of(seed), 3);
      const full = await followExactFlow(field, x0, base);
      const pruned = await followExactFlow(fieldOf(part, 3), x0, base);
      const deviation = pathDeviation({ flow: full, row: 0 }, { flow: pruned, row: 0 });
      everyDeviation.push(deviation);
      if (!kept.includes(full.nearest[0]!)) continue;
      deviations.push(deviation);
      trials++;
      if (kept[pruned.nearest[0]!] === full.nearest[0]) hits++;
    }
    expect(subsets[0]!.unchanged).toMatchObject({ hits, trials });
    // The set is so small that some assignments change: the count is not all or nothing.
    expect(hits).toBeLessThan(trials);
    expect(hits).toBeGreaterThan(trials / 4);
    const middle = (values: number[]) => {
      const sorted = values.sort((a, b) => a - b);
      const half = sorted.length / 2;
      return (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2;
    };
    expect(subsets[0]!.deviation.median).toBeCloseTo(middle(deviations), 5);
    expect(subsets[0]!.deviation.count).toBe(trials);
    expect(subsets[0]!.deviationOfAll.median).toBeCloseTo(middle(everyDeviation), 5);
    expect(baseline.pairs).toBe(20);
  });

  it('does not depend on how many noises are followed at once', async () => {
    const field = fieldOf(mixture(4, 40).vectors, 4);
    const subsets = [{ name: 'half', kept: randomSubset(40, 0.5, 0) }];
    const together = await pruningStability(field, { ...base, subsets });
    const apart = await pruningStability(field, { ...base, subsets, batch: 4 });
    expect(apart).toEqual(together);
  });

  it('between seeds is the distance of noises and data, as in high dimensions known beforehand', async () => {
    // Independent normals of unit variance at both ends: |x(t) - y(t)| is about sqrt(2 d ((1 - t)² + t²)), whose integral is 0.8116
    // sqrt(2 d); the paths are straight but for their beginning.
    const d = 1024;
    const { vectors } = drawGaussianMixture({ dimension: d, components: 1, spread: 0, width: 1, count: 60, seed: 3 });
    const { baseline, finalWeight } = await pruningStability(fieldOf(vectors, d), { ...base, subsets: [] });
    expect(finalWeight).toBeGreaterThan(1 - 1e-6);
    // Two noises of 40 may share one of 60 data, so the mean is a little below.
    expect(baseline.mean / (0.8116 * Math.sqrt(2 * d))).toBeGreaterThan(0.95);
    expect(baseline.mean / (0.8116 * Math.sqrt(2 * d))).toBeLessThan(1.01);
    expect(baseline.standardDeviation).toBeGreaterThan(0);
  });

  it('falls with the dimension', async () => {
    const share = async (dimension: number) => {
      const field = fieldOf(mixture(dimension, 200).vectors, dimension);
      const subsets = [{ name: '0.5', kept: randomSubset(200, 0.5, 0) }];
      const plan = { ...base, seeds: seedsTo(200), times: uniformGrid(40), batch: 200, subsets };
      return (await pruningStability(field, plan)).subsets[0]!.unchanged.share;
    };
    const [plane, many] = [await share(2), await share(256)];
    expect(plane).toBeLessThan(0.8);
    expect(many).toBeGreaterThan(0.9);
  });

  it('tells how far it is', async () => {
    const told: PruningProgress[] = [];
    const subsets = [{ name: 'half', kept: randomSubset(40, 0.5, 0) }];
    const field = fieldOf(mixture(4, 40).vectors, 4);
    await pruningStability(field, { ...base, batch: 20, subsets, onProgress: (progress) => told.push(progress) });
    expect(told.map(({ trajectories }) => trajectories)).toEqual([20, 40, 60, 80]);
    expect(told[0]!.share).toBeCloseTo(1 / 3, 12);
    expect(told.at(-1)!.share).toBeCloseTo(1, 12);
  });
});
