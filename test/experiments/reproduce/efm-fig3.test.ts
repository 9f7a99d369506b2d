import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HybridResult } from '../../../src/experiments/measure-hybrid.ts';
import { efmFig3, prepareHybrid } from '../../../src/experiments/reproduce/efm-fig3.ts';
import { hybridLines, judgeHybrid } from '../../../src/experiments/reproduce/efm-fig3-report.ts';
import { smallConfig, trained } from '../small-runs.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-efm-fig3-'));
const run = join(folder, 'run');
beforeAll(() => trained(run, smallConfig('points', { model: { kind: 'mlp', hidden: [16, 16] } })));
afterAll(() => rmSync(folder, { recursive: true }));
const quiet = { signal: new AbortController().signal, onEvent: () => {} };

const estimate = (mean: number) => ({ mean, standardError: 0.1, count: 9 });
const resultOf = (rows: readonly (readonly [tau: number, distance: number, memorised: number])[]): HybridResult => ({
  samples: 9,
  seed: 0,
  switches: rows.map(([tau, distance, memorised]) => ({
    tau,
    distance: estimate(distance),
    memorised: estimate(memorised),
    shown: [distance],
  })),
});

describe('the reproduction efm-fig3', () => {
  it('follows the exact field and the network of a run, and ends on data with tau = 1', async () => {
    const prepared = prepareHybrid({ seed: 3, run, config: null, switches: [0, 0.5, 1], samples: 12 });
    const { result, paths, agrees, lines } = await prepared.run({ ...quiet, directory: join(folder, 'points') });
    const { switches, seed } = result.hybrid as HybridResult;
    expect(seed).toBe(3);
    expect(switches[0]!.distance.count).toBe(12);
    expect(switches[2]!.distance.mean).toBeLessThan(1e-3);
    expect(switches[2]!.distance.mean).toBeLessThan(switches[0]!.distance.mean);
    expect(result.count).toBe(500);
    expect(agrees).toBe(Object.values(judgeHybrid(result.hybrid as HybridResult)).every(Boolean));
    expect(lines.join('\n')).toContain('500 training data (two-moons, 2 elements) of 12 samples');
    for (const path of paths) expect(existsSync(path)).toBe(true);
  });

  it('trains a network without labels on fashion, or takes a run', () => {
    const own = efmFig3({ scale: 'laptop', seed: 4, data: null }).settings;
    expect(own).toMatchObject({
      run: null,
      config: { seed: 4, data: { source: 'fashion' }, model: { labels: false } },
    });
    expect(efmFig3({ scale: 'paper', seed: 4, data: run }).settings).toMatchObject({ run, config: null, samples: 256 });
    expect(() => efmFig3({ scale: 'laptop', seed: 4, data: 'portraits' })).toThrow('the folder of a trained run');
  });

  it('says which of the claims it did not find', () => {
    const good = resultOf([
      [0, 5, 0],
      [0.2, 4, 0.1],
      [0.3, 1, 0.9],
      [1, 0, 1],
    ]);
    expect(Object.values(judgeHybrid(good))).toEqual([true, true, true]);
    const late = resultOf([
      [0, 5, 0.6],
      [0.3, 6, 0.5],
      [1, 0, 1],
    ]);
    expect(Object.values(judgeHybrid(late))).toEqual([false, false, false]);
    const within = { ratio: estimate(1), distance: estimate(2), memorised: estimate(0), threshold: 1 / 3 };
    const facts = { source: 'fashion', elements: 4, count: 10, seconds: 1 };
    const lines = hybridLines(late, within, { ...facts, claims: judgeHybrid(late) });
    expect(lines.filter((line) => line.startsWith('NOT FOUND'))).toHaveLength(3);
    expect(lines.join('\n')).toContain('most samples are memorised from tau = 1.00 on');
  });
});
