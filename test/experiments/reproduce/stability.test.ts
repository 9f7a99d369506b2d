import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { PruningStability, SubsetStability } from '../../../src/analysis/pruning-stability.ts';
import type { PruningCase, PruningResult } from '../../../src/experiments/pruning-request.ts';
import {
  mixtureCase,
  prepareStability,
  stabilityFractions,
} from '../../../src/experiments/reproduce/stability-cases.ts';
import {
  judgeDeviation,
  judgeDimensions,
  judgeShare,
  judgeUnchanged,
} from '../../../src/experiments/reproduce/stability-claims.ts';
import { stabilityFig2, unchangedFigure } from '../../../src/experiments/reproduce/stability-fig2.ts';
import { deviationFigure, stabilityFig8 } from '../../../src/experiments/reproduce/stability-fig8.ts';
import { dimensionFigure, stabilityFig9 } from '../../../src/experiments/reproduce/stability-fig9.ts';
import { shareOf } from '../../../src/numerics/share.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-pruning-'));
afterAll(() => rmSync(folder, { recursive: true }));
const quiet = { signal: new AbortController().signal, onEvent: () => {} };

const subset = (removed: number, hits: number, trials: number, [median, p95] = [0.5, 1]): SubsetStability => ({
  name: `${removed} removed`,
  kept: 100 * (1 - removed),
  removed,
  unchanged: shareOf(hits, trials),
  deviation: { median, p95, count: trials },
  deviationOfAll: { median, p95, count: trials },
});

describe('the claim that less than 3 % of the assignments change', () => {
  it.each([
    [990, 1000, 'holds'],
    [100, 100, 'open'],
    [96, 100, 'open'],
    [940, 1000, 'fails'],
  ] as const)('is judged by the interval: %d of %d', (hits, trials, verdict) => {
    expect(judgeShare(shareOf(hits, trials))).toBe(verdict);
  });

  it('holds by all fractions together, and fails by one', () => {
    const good = [subset(0.5, 498, 500), subset(0.9, 99, 100)];
    expect(judgeUnchanged({ name: 'a', subsets: good })).toMatchObject({
      verdict: 'holds',
      worst: { removed: 0.9, share: 0.99 },
      all: { hits: 597, trials: 600 },
    });
    expect(judgeUnchanged({ name: 'a', subsets: [...good, subset(0.95, 80, 100)] }).verdict).toBe('fails');
    expect(judgeUnchanged({ name: 'a', subsets: [subset(0.9, 0, 0)] })).toMatchObject({ verdict: 'open', worst: null });
  });
});

describe('the claim that deviations are small', () => {
  const baseline = { mean: 80, standardDeviation: 2, pairs: 10 };

  it('is judged at the fraction of the paper', () => {
    const subsets = [subset(0.1, 9, 10, [1, 79]), subset(0.8, 9, 10, [0.58, 1.22])];
    expect(judgeDeviation({ name: 'a', subsets, baseline }, 0.8)).toMatchObject({
      removed: 0.8,
      p95: 1.22 / 80,
      small: true,
    });
    expect(judgeDeviation({ name: 'a', subsets, baseline }, 0).small).toBe(false);
  });

  it('is not found where nothing was measured', () => {
    const subsets = [subset(0.8, 0, 0, [Number.NaN, Number.NaN])];
    expect(judgeDeviation({ name: 'a', subsets, baseline }, 0.8).small).toBe(false);
  });
});

describe('the claim that more dimensions change less', () => {
  const shares = (...hits: readonly number[]) =>
    hits.map((one, i) => ({ dimension: 2 ** i, unchanged: shareOf(one, 200) }));

  it('is found where shares rise, up to what their intervals allow', () => {
    expect(judgeDimensions(shares(80, 150, 148, 196))).toEqual({ rises: true, falls: [] });
  });

  it('is not where they fall on the way, or do not rise', () => {
    expect(judgeDimensions(shares(80, 150, 100, 196))).toEqual({ rises: true, falls: [4] });
    expect(judgeDimensions(shares(150, 152))).toEqual({ rises: false, falls: [] });
  });
});

const method = { seed: 1, noises: 40, solver: 'euler', steps: 12 } as const;
const tiny = (name: string, dimension: number, fractions: readonly number[] = [0.5, 0.8]): PruningCase =>
  mixtureCase(name, { ...method, fractions }, { dimension, count: 80, components: 3 });

const result = (name: string, stability: PruningStability): PruningResult => ({
  ...tiny(name, 2),
  ...stability,
  count: 80,
  elements: 2,
  seconds: 1,
});

describe('the reproduction stability-fig2', () => {
  it('removes 0.1 to 0.9 of a mixture in 4,096 dimensions and of real images', () => {
    const { settings } = stabilityFig2({ scale: 'paper', seed: 5, data: 'portraits' });
    const [mixture, real, ...others] = settings.cases as readonly PruningCase[];
    expect(mixture).toMatchObject({
      seed: 5,
      noises: 1000,
      fractions: stabilityFractions,
      data: { dimension: 4096, count: 28_000 },
    });
    expect(real).toMatchObject({ name: 'portraits', data: { source: 'portraits', count: null } });
    expect(new Set(others.map(({ name }) => name)).size).toBe(others.length);
    for (const { data } of others) expect(data.kind).toBe('mixture');
  });

  it('measures, tells what was found, and writes numbers and a chart', async () => {
    const directory = join(folder, 'fig2');
    const prepared = prepareStability(unchangedFigure(1, [tiny('a mixture', 64)], [tiny('in the plane', 2)]));
    const { lines, paths, result: found, agrees } = await prepared.run({ ...quiet, directory });
    expect(lines[0]).toContain('(paper: above 97 % for all fractions up to 0.9)');
    expect(lines.join('\n')).toMatch(/in the plane +\d+\.\d % \[/);
    expect(agrees).toBe(true);
    expect(paths.map((path) => path.slice(directory.length + 1))).toEqual([
      'stability-fig2.json',
      'stability-fig2.csv',
      'unchanged.svg',
    ]);
    const stored = JSON.parse(readFileSync(paths[0]!, 'utf8'));
    expect(stored).toEqual(JSON.parse(JSON.stringify(found)));
    expect(stored.claims.main).toHaveLength(1);
    expect(readFileSync(paths[2]!, 'utf8')).toContain('claim: 0.97');
  });

  it('contradicts the claim where assignments change', async () => {
    const plane: PruningCase = { ...tiny('the plane', 2, [0.5]), noises: 200, steps: 40 };
    const prepared = prepareStability(unchangedFigure(1, [plane], []));
    const { agrees, lines } = await prepared.run({ ...quiet, directory: join(folder, 'plane') });
    expect(agrees).toBe(false);
    expect(lines.at(-1)).toMatch(/^NOT FOUND on the plane/);
  });
});

describe('the reproduction stability-fig8', () => {
  it('has the data of figure 2', () => {
    const request = { scale: 'laptop', seed: 0, data: null } as const;
    const cases = stabilityFig8(request).settings.cases as readonly PruningCase[];
    expect(cases).toEqual((stabilityFig2(request).settings.cases as readonly PruningCase[]).slice(0, 2));
  });

  it("puts the paper's numbers beside the measured ones", async () => {
    const directory = join(folder, 'fig8');
    // The data that remain must be many: their mean, which every noise follows at first, differs by 1/sqrt(kept) from that of all.
    const many = mixtureCase('many', { ...method, fractions: [0.8] }, { dimension: 256, count: 1000 });
    const prepared = prepareStability(deviationFigure(1, [many]));
    const { lines, paths, agrees } = await prepared.run({ ...quiet, directory });
    const text = lines.join('\n');
    expect(text).toMatch(/paper: CelebA-HQ latents +0\.58 +1\.22 +80\.15 ± 2\.07 +1\.5 %/);
    expect(text).toMatch(/many, 256 numbers +\d/);
    expect(agrees).toBe(true);
    expect(paths.at(-1)).toBe(join(directory, 'deviation.svg'));
  });

  it('says where deviations are not small', () => {
    const stability = {
      subsets: [subset(0.8, 10, 10, [4, 9])],
      baseline: { mean: 10, standardDeviation: 1, pairs: 5 },
      finalWeight: 1,
      evaluations: 3,
    };
    const { agrees, lines } = deviationFigure(1, []).report([result('far', stability)]);
    expect(agrees).toBe(false);
    expect(lines.at(-1)).toContain('NOT FOUND on far');
    expect(lines.at(-1)).toContain('median 40.0 % and 95th percentile 90.0 %');
  });
});

describe('the reproduction stability-fig9', () => {
  it('goes from 2 to 4,096 dimensions, on no other data', () => {
    const { settings } = stabilityFig9({ scale: 'laptop', seed: 0, data: null });
    const dimensions = (settings.cases as readonly PruningCase[]).map(
      ({ data }) => 'dimension' in data && data.dimension,
    );
    expect(dimensions).toEqual([2, 8, 32, 128, 512, 4096]);
    expect(() => stabilityFig9({ scale: 'laptop', seed: 0, data: 'fashion' })).toThrow('Expected no --data');
  });

  it('finds that shares rise with the dimension', async () => {
    const directory = join(folder, 'fig9');
    const cases = [2, 64].map((dimension) => ({ ...tiny(`${dimension}`, dimension), noises: 240, steps: 40 }));
    const {
      lines,
      agrees,
      result: found,
    } = await prepareStability(dimensionFigure(1, cases)).run({ ...quiet, directory });
    expect(agrees).toBe(true);
    expect(lines.at(-1)).toMatch(/^FOUND/);
    const { shares } = (found as { claims: { shares: { dimension: number; unchanged: { share: number } }[] } }).claims;
    expect(shares.map(({ dimension }) => dimension)).toEqual([2, 64]);
    expect(shares[0]!.unchanged.share).toBeLessThan(shares[1]!.unchanged.share);
    expect(readFileSync(join(directory, 'unchanged.svg'), 'utf8')).toContain('0.8 removed');
  });
});
