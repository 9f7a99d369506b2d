import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { efmFig2, prepareSubsets, type SubsetResult } from '../../../src/experiments/reproduce/efm-fig2.ts';
import { judgeSubsets, subsetLines } from '../../../src/experiments/reproduce/efm-fig2-report.ts';
import { smallUnet } from '../../../src/experiments/reproduce/small-unet.ts';
import type { RunEvent } from '../../../src/experiments/run-types.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-efm-fig2-'));
afterAll(() => rmSync(folder, { recursive: true }));

const sections = smallUnet([8], 64);
const settings = {
  seed: 1,
  source: 'fashion',
  size: 4,
  counts: [5, 40],
  network: {
    ...sections,
    training: { ...sections.training, batchSize: 16, schedule: { kind: 'constant' }, log: { everyImages: 16 } },
    sampling: { solver: { kind: 'euler', steps: 4 }, batchSize: 8 },
    runtime: { threads: 1 },
  },
  pairs: 6,
  errorTimes: 4,
  samples: 7,
} as const;

const estimate = (mean: number) => ({ mean, standardError: 0.1, count: 9 });
const nearness = (distance: number, memorised: number) => ({
  ratio: estimate(0.5),
  distance: estimate(distance),
  memorised: estimate(memorised),
  threshold: 1 / 3,
});
const measured = (count: number, error: number, [distance, memorised]: readonly [number, number]): SubsetResult => ({
  count,
  error: { training: [{ time: 0.5, error: estimate(error), referenceSquare: estimate(1) }], heldOut: null },
  samples: nearness(distance, memorised),
  heldOut: null,
  within: nearness(3, 0),
});

describe('the reproduction efm-fig2', () => {
  it('trains a network on each subset, measures it, and takes it as it is the second time', async () => {
    const directory = join(folder, 'small');
    const events: RunEvent[] = [];
    const context = { directory, signal: new AbortController().signal, onEvent: (e: RunEvent) => void events.push(e) };
    const first = await prepareSubsets(settings).run(context);
    const results = first.result.results as SubsetResult[];
    expect(results.map(({ count }) => count)).toEqual([5, 40]);
    for (const { error, samples, heldOut, within, count } of results) {
      expect(error.training.map(({ time }) => time)).toEqual([0, 0.25, 0.5, 0.75]);
      expect(error.training[0]!.error.count).toBe(6);
      expect(error.heldOut![0]!.error.count).toBe(6);
      expect([samples.distance.count, heldOut!.distance.count, within.distance.count]).toEqual([7, 7, count]);
    }
    for (const path of first.paths) expect(existsSync(path)).toBe(true);
    expect(first.agrees).toBe(Object.values(judgeSubsets(results)).every(Boolean));
    expect(events.filter(({ kind }) => kind === 'step')).not.toHaveLength(0);
    events.length = 0;
    const second = await prepareSubsets(settings).run(context);
    expect(events.filter(({ kind }) => kind === 'step')).toHaveLength(0);
    expect(second.result.results).toEqual(results);
  });

  it('leaves a run that it can go on with when it is interrupted', async () => {
    const directory = join(folder, 'stopped');
    const controller = new AbortController();
    const onEvent = ({ kind }: RunEvent) => (kind === 'step' ? controller.abort() : undefined);
    const { training } = settings.network;
    const longer = {
      ...settings,
      counts: [5],
      network: { ...settings.network, training: { ...training, images: 6400 } },
    };
    await expect(prepareSubsets(longer).run({ directory, signal: controller.signal, onEvent })).rejects.toThrow(
      'abort',
    );
    expect(existsSync(join(directory, 'runs', 'subset-5-seed-1', 'config.json'))).toBe(true);
    expect(existsSync(join(directory, 'subsets.json'))).toBe(false);
  });

  it('takes more images than the set has as all of it, and other sets', () => {
    const given = efmFig2({ scale: 'laptop', seed: 2, data: 'portraits' }).settings;
    expect(given).toMatchObject({ seed: 2, source: 'portraits', counts: [10, 100, 1000, 10000], size: 14 });
  });

  it('says which of the claims it did not find', () => {
    const good = [measured(10, 0.1, [1, 0.9]), measured(100, 0.2, [3, 0])];
    expect(Object.values(judgeSubsets(good))).toEqual([true, true, true, true]);
    const few = good[0]!;
    expect(judgeSubsets([few, measured(100, 0.1, [3, 0])]).errorGrows).toBe(false);
    expect(judgeSubsets([few, measured(100, 0.2, [1, 0])]).distanceGrows).toBe(false);
    expect(judgeSubsets([measured(10, 0.1, [1, 0.5]), good[1]!]).fewAreMemorised).toBe(false);
    expect(judgeSubsets([few, measured(100, 0.2, [3, 0.5])]).manyAreNot).toBe(false);
    const claims = judgeSubsets([few]);
    const lines = subsetLines([few], { source: 'fashion', size: 4, seed: 0, pairs: 6, seconds: 1, claims });
    expect(lines.filter((line) => line.startsWith('NOT FOUND'))).toHaveLength(3);
  });
});
