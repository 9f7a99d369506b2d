import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AlignmentAtTime, AlignmentResult } from '../../../src/experiments/measure-alignment.ts';
import { type CollapseSettings, efmFig1, prepareCollapse } from '../../../src/experiments/reproduce/efm-fig1.ts';
import { collapseLines, judgeCollapse } from '../../../src/experiments/reproduce/efm-fig1-report.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-efm-fig1-'));
afterAll(() => rmSync(folder, { recursive: true }));
const quiet = { signal: new AbortController().signal, onEvent: () => {} };

/** A set whose pairs are aligned from given times on. */
function resultOf(elements: number, close: number | null, determined: number | null, aligned = 1): AlignmentResult {
  const estimate = { mean: 1, standardError: 0, count: 2 };
  const at = (time: number): AlignmentAtTime => ({
    time,
    cosine: estimate,
    aligned,
    closelyAligned: 1,
    ownWeight: estimate,
    determined: 1,
    histogram: { from: -1, to: 1, counts: [0, 2] },
  });
  return {
    name: `set of ${elements}`,
    shape: [elements],
    elements,
    count: 10,
    pairs: 2,
    times: [0, 0.1, 0.2, 0.3].map(at),
    collapseTime: 0,
    closeTime: close,
    determinedTime: determined,
    seconds: 1,
  };
}

describe('the reproduction efm-fig1', () => {
  it('finds the collapse earlier in more dimensions, on real images and points in the plane', async () => {
    const settings: CollapseSettings = {
      seed: 1,
      source: 'portraits',
      count: 60,
      sizes: [4, 8, 16],
      contrast: 'two-moons',
      contrastCount: 500,
      pairs: 24,
      times: 20,
    };
    const directory = join(folder, 'small');
    const { result, paths, agrees, lines } = await prepareCollapse(settings).run({ ...quiet, directory });
    const { claims, results } = result as { claims: ReturnType<typeof judgeCollapse>; results: AlignmentResult[] };
    expect(results.map(({ elements }) => elements)).toEqual([48, 192, 768]);
    expect(claims.fallsWithDimension).toBe(true);
    expect(claims.lateInFewDimensions).toBe(true);
    // No set is of the dimension that the paper speaks of.
    expect(claims.earlyInHighDimension).toBe(false);
    expect(agrees).toBe(false);
    expect(lines.filter((line) => line.startsWith('NOT FOUND'))).toHaveLength(1);
    for (const path of paths) expect(existsSync(path)).toBe(true);
  });

  it('goes through four sizes of portraits at 100 times', () => {
    const { settings } = efmFig1({ scale: 'laptop', seed: 7, data: null });
    expect(settings).toMatchObject({ seed: 7, source: 'portraits', sizes: [8, 16, 32, 64], pairs: 256, times: 100 });
  });

  it('says which of the claims it did not find', () => {
    const points = resultOf(2, null, null);
    const good = [resultOf(768, 0.3, 0.4), resultOf(3072, 0.1, 0.2)];
    const all = { earlyInHighDimension: true, fallsWithDimension: true, lateInFewDimensions: true };
    expect(judgeCollapse(good, points)).toEqual(all);
    const judged = (large: AlignmentResult, other = points) => judgeCollapse([good[0]!, large], other);
    expect(judged(resultOf(3072, 0.2, 0.2)).earlyInHighDimension).toBe(false);
    expect(judged(resultOf(3072, 0.1, 0.2, 0.5)).earlyInHighDimension).toBe(false);
    expect(judged(resultOf(3072, 0.1, 0.4)).fallsWithDimension).toBe(false);
    expect(judged(resultOf(3072, null, 0.2)).fallsWithDimension).toBe(false);
    expect(judged(good[1]!, resultOf(2, 0.25, 0.9)).lateInFewDimensions).toBe(false);
    const claims = { ...all, fallsWithDimension: false };
    const lines = collapseLines(good, points, { seed: 0, pairs: 2, seconds: 1, claims });
    expect(lines.filter((line) => line.startsWith('NOT FOUND'))).toHaveLength(1);
    expect(lines.join('\n')).toContain('never');
  });
});
