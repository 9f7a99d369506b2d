import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import type { SimulatedEpoch } from '../../../src/analysis/coupling-simulation.ts';
import {
  loomConvergence,
  prepareConvergence,
  type SimulatedRun,
} from '../../../src/experiments/reproduce/loom-convergence.ts';
import { convergenceLines, judgeConvergence } from '../../../src/experiments/reproduce/loom-convergence-report.ts';
import { couplingSection } from '../../../src/experiments/schema/coupling-section.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-convergence-'));
afterAll(() => rmSync(folder, { recursive: true }));
const quiet = { signal: new AbortController().signal, onEvent: () => {} };

const couplingOf = (coupling: z.input<typeof couplingSection>) => couplingSection.parse(coupling);

const run = (change: Partial<SimulatedRun>, costs: readonly number[], reassigned: readonly number[]): SimulatedRun => ({
  name: 'a run',
  coupling: couplingOf({ kind: 'loom' }),
  batch: 8,
  epochs: costs.length,
  seconds: 1,
  history: costs.map(
    (cost, i): SimulatedEpoch => ({
      epoch: i + 1,
      batchCost: cost,
      standardError: 1,
      reassigned: reassigned[i],
      wholeCost: change.coupling?.kind === 'minibatch-ot' ? null : cost,
    }),
  ),
  ...change,
});

describe('the reproduction loom-fig9', () => {
  it('goes through batches and caches on the first images of a set', () => {
    const { settings } = loomConvergence({ scale: 'laptop', seed: 5, data: 'portraits' });
    expect(settings).toMatchObject({ seed: 5, source: 'portraits', count: 10_000 });
    expect((settings.couplings as SimulatedRun[]).map(({ name }) => name)).toEqual([
      'independent, batch 128',
      'minibatch-ot, batch 128',
      'loom, batch 32, 1 cache',
      'loom, batch 64, 1 cache',
      'loom, batch 128, 1 cache',
      'loom, batch 128, 4 caches',
      'semidiscrete, batch 128',
    ]);
  });

  it('measures real images: LOOM ends between minibatch transport and the optimum', async () => {
    const directory = join(folder, 'small');
    const couplings = [
      { name: 'independent', coupling: couplingOf({ kind: 'independent' }), batch: 32, epochs: 1 },
      { name: 'minibatch', coupling: couplingOf({ kind: 'minibatch-ot' }), batch: 32, epochs: 1 },
      { name: 'loom', coupling: couplingOf({ kind: 'loom' }), batch: 32, epochs: 6 },
      { name: 'all', coupling: couplingOf({ kind: 'semidiscrete' }), batch: 32, epochs: 1 },
    ] as const;
    const prepared = prepareConvergence({ seed: 1, source: 'fashion', count: 320, couplings });
    const { agrees, lines, paths, result } = await prepared.run({ ...quiet, directory });
    expect(agrees).toBe(true);
    expect(lines.join('\n')).toContain('Global optimum of the kept noises (1 cache), exact:');
    const runs = result.runs as SimulatedRun[];
    const [independent, minibatch] = runs.map(({ history }) => history.at(-1)!.batchCost);
    const loom = runs[2].history.at(-1)!.wholeCost!;
    const { cost: optimum } = result.optimum as { cost: number };
    expect(independent).toBeGreaterThan(minibatch);
    expect(minibatch).toBeGreaterThan(loom);
    expect(loom).toBeGreaterThanOrEqual(optimum);
    expect(JSON.parse(readFileSync(paths[0], 'utf8')).runs).toEqual(JSON.parse(JSON.stringify(runs)));
    expect(readFileSync(paths[1], 'utf8').trimEnd().split('\n')).toHaveLength(1 + 1 + 1 + 6 + 1);
  });

  it('says which of the claims it did not find', () => {
    const minibatch = run({ coupling: couplingOf({ kind: 'minibatch-ot' }) }, [10], [8]);
    const good = [
      minibatch,
      run({}, [9, 7], [8, 2]),
      run({ batch: 4 }, [9, 8], [4, 1]),
      run({ coupling: couplingOf({ kind: 'loom', caches: 4 }) }, [9, 8.5], [8, 4]),
    ];
    expect(Object.values(judgeConvergence(good))).toEqual([true, true, true, true]);
    expect(judgeConvergence([run({}, [9, 9], [8, 8])]).reassignmentsFall).toBe(false);
    expect(judgeConvergence([minibatch, run({}, [12, 11], [8, 2])]).belowMinibatch).toBe(false);
    expect(judgeConvergence([run({}, [9, 7], [8, 2]), run({ batch: 4 }, [9, 6], [4, 1])]).largerBatchesEndLower).toBe(
      false,
    );
    expect(
      judgeConvergence([
        run({}, [9, 7], [8, 2]),
        run({ coupling: couplingOf({ kind: 'loom', caches: 2 }) }, [9, 6], [8, 1]),
      ]).moreCachesEndHigher,
    ).toBe(false);
    const claims = judgeConvergence([run({}, [9, 9], [8, 8])]);
    const lines = convergenceLines([run({}, [9, 9], [8, 8])], null, { ...claims, count: 10, elements: 2 });
    expect(lines.filter((line) => line.startsWith('NOT FOUND'))).toHaveLength(1);
  });

  it('ends when it is interrupted', async () => {
    const couplings = [{ name: 'loom', coupling: couplingOf({ kind: 'loom' }), batch: 32, epochs: 50 }] as const;
    const controller = new AbortController();
    const prepared = prepareConvergence({ seed: 1, source: 'fashion', count: 320, couplings });
    const context = { signal: controller.signal, directory: folder, onEvent: () => controller.abort() };
    await expect(prepared.run(context)).rejects.toThrow('abort');
  });
});
