import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import type { CurvatureRequest } from '../../src/experiments/curvature-request.ts';
import { runner } from '../../src/experiments/run.ts';
import type { RunEvent } from '../../src/experiments/run-types.ts';
import { solverOfEvaluations } from '../../src/experiments/sample-plan.ts';
import { readNpz } from '../../src/formats/npz.ts';
import { sampled, smallConfig, trained } from './small-runs.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-analysis-'));
const run = join(folder, 'run');
beforeAll(() => trained(run, smallConfig()));
afterAll(() => rmSync(folder, { recursive: true }));

const { sampling, runtime } = smallConfig();

function requestOf(out: string, change: Partial<CurvatureRequest> = {}): CurvatureRequest {
  const solverErrors = [2, 8].map((evaluations) => ({
    evaluations,
    solver: solverOfEvaluations(evaluations, sampling),
  }));
  return {
    runs: [{ directory: run, labels: null, sampling, solverErrors, runtime }],
    firstSeed: 3,
    samples: 20,
    referenceSamples: 13,
    ema: true,
    outDirectory: join(folder, out),
    signal: new AbortController().signal,
    onEvent: () => {},
    ...change,
  };
}

/** Samples of the run as an array, [count][2]. */
async function points(solver: typeof sampling.solver, count: number): Promise<number[][]> {
  const arraysPath = join(folder, 'samples.npz');
  const seeds = Array.from({ length: count }, (_, i) => 3 + i);
  await sampled(run, { seeds, sampling: { solver, guidance: 1 }, arraysPath });
  const values = readNpz(readFileSync(arraysPath)).get('samples')!.data as Float32Array;
  return seeds.map((_, i) => [values[2 * i]!, values[2 * i + 1]!]);
}

describe('the analysis of a run', () => {
  it('measures the errors of just the samples that `sample` makes', async () => {
    const [{ measures }] = (await runner.analyzeCurvature(requestOf('errors'))).runs;
    const { solver } = smallConfig('points', { sampling: { solver: { kind: 'dopri5' } } }).sampling;
    const fine = await points(solver, 13);
    for (const { evaluations, distance, rootMeanSquare } of measures.solverErrors) {
      const coarse = await points(solverOfEvaluations(evaluations, sampling), 13);
      const errors = coarse.map(([x, y], i) => Math.hypot(x! - fine[i]![0]!, y! - fine[i]![1]!));
      const mean = errors.reduce((sum, one) => sum + one, 0) / 13;
      const variance = errors.reduce((sum, one) => sum + (one - mean) ** 2, 0) / 12;
      expect(distance.mean).toBeCloseTo(mean, 12);
      expect(distance.standardError).toBeCloseTo(Math.sqrt(variance / 13), 12);
      expect(rootMeanSquare.mean).toBeCloseTo(mean / Math.SQRT2, 12);
      expect(distance.count).toBe(13);
    }
    expect(measures.solverErrors[1]!.distance.mean).toBeLessThan(measures.solverErrors[0]!.distance.mean);
  });

  it('gives the same files again, whatever the batch', async () => {
    const [{ measures }] = (await runner.analyzeCurvature(requestOf('a'))).runs;
    await runner.analyzeCurvature(requestOf('b'));
    const [flow] = requestOf('c').runs;
    const runs = [{ ...flow!, sampling: { ...sampling, batchSize: 3 } }];
    const other = await runner.analyzeCurvature(requestOf('c', { runs }));
    for (const name of ['curvature.json', 'curvature.csv', 'curvature.svg', 'solver-error.svg']) {
      expect(readFileSync(join(folder, 'b', name), 'utf8')).toBe(readFileSync(join(folder, 'a', name), 'utf8'));
    }
    // A network may round another way in a batch of another size.
    expect(other.runs[0]!.measures.straightness.mean).toBeCloseTo(measures.straightness.mean, 5);
    expect(other.runs[0]!.measures.turning.mean).toBeCloseTo(measures.turning.mean, 4);
  });

  it('writes every estimate into the table, a row each', async () => {
    const { runs } = await runner.analyzeCurvature(requestOf('table'));
    const [header, ...rows] = readFileSync(join(folder, 'table', 'curvature.csv'), 'utf8')
      .trim()
      .split('\n');
    expect(header).toBe('run,quantity,time,evaluations,mean,standardError,count');
    const cells = rows.map((row) => row.split(','));
    // Four intervals, five measures of trajectories, two errors in two norms.
    expect(cells.map((row) => row.length)).toEqual(new Array(4 + 5 + 4).fill(7));
    expect(cells.slice(0, 4).map(([, quantity, time]) => [quantity, Number(time)])).toEqual(
      [0.125, 0.375, 0.625, 0.875].map((time) => ['curvature', time]),
    );
    const [{ curvature, measures }] = runs as [(typeof runs)[0]];
    expect(Number(cells[2]![4])).toBe(curvature[2]!.mean);
    expect(curvature.reduce((sum, { mean }) => sum + mean, 0)).toBeCloseTo(measures.curvatureSum.mean, 12);
    expect(measures.curvatureMean.mean).toBeCloseTo(measures.curvatureSum.mean / 4, 12);
    expect(measures.curvatureSum.count).toBe(20);
  });

  it('compares seed by seed, unless labels differ', async () => {
    const [flow] = requestOf('pairs').runs;
    const raw = await runner.analyzeCurvature(requestOf('raw', { ema: false }));
    const labelled = { ...flow!, labels: new Array(20).fill(1) };
    const { runs } = await runner.analyzeCurvature(requestOf('pairs', { runs: [flow!, flow!, labelled] }));
    const [same, other] = [runs[1]!.difference!, runs[2]!.difference];
    expect(same.straightness).toEqual({ mean: 0, standardError: 0, count: 20 });
    expect(same.solverErrors[1]!.distance).toEqual({ mean: 0, standardError: 0, count: 13 });
    expect(other).toBeNull();
    expect(runs.map(({ labels }) => labels)).toEqual([[0, 1], [0, 1], [1]]);
    expect(raw.runs[0]).toMatchObject({ parameters: 'parameters', difference: null });
    expect(raw.runs[0]!.measures.straightness.mean).not.toBe(runs[0]!.measures.straightness.mean);
  });

  it('counts the evaluations of trajectory, velocities and guidance', async () => {
    const [flow] = requestOf('guided').runs;
    const plain = await runner.analyzeCurvature(requestOf('guided'));
    const runs = [{ ...flow!, sampling: { ...sampling, guidance: 2 } }];
    const guided = await runner.analyzeCurvature(requestOf('guided', { runs }));
    // Four steps of the midpoint rule and five times.
    expect(plain.runs[0]!.evaluations).toBe(13);
    expect(guided.runs[0]!.evaluations).toBe(26);
    expect(plain.runs[0]!.reference.mostEvaluations % 6).toBe(2);
    expect(guided.runs[0]!.reference.mostEvaluations % 12).toBe(4);
  });

  it('tells its progress, and ends when it is interrupted', async () => {
    const events: RunEvent[] = [];
    await runner.analyzeCurvature(requestOf('told', { onEvent: (event) => void events.push(event) }));
    expect(events.map((event) => event.kind === 'work' && [event.what, event.done, event.count])).toEqual([
      ['run: solver errors', 0, 13],
      ['run: solver errors', 8, 13],
      ['run: solver errors', 13, 13],
      ['run: trajectories', 8, 20],
      ['run: trajectories', 16, 20],
      ['run: trajectories', 20, 20],
    ]);
    expect(events.at(-1)).toMatchObject({ unit: 'samples', secondsLeft: 0 });
    const controller = new AbortController();
    const stop = runner.analyzeCurvature(
      requestOf('stopped', {
        signal: controller.signal,
        onEvent: (event) => 'done' in event && event.done > 13 && controller.abort(),
      }),
    );
    await expect(stop).rejects.toMatchObject({ name: 'AbortError' });
  });

  it.each<[string, Partial<CurvatureRequest>, string]>([
    ['no run', { runs: [] }, 'Expected at least one run; got none.'],
    ['one sample', { samples: 1 }, 'Expected at least two samples'],
    ['more references than samples', { referenceSamples: 21 }, 'Expected 2 to 20 samples to be compared'],
    ['seeds beyond 32 bits', { firstSeed: 2 ** 32 - 1 }, 'Expected seeds below 2^32; got 4294967314.'],
  ])('is refused with %s', async (_what, change, message) => {
    await expect(runner.analyzeCurvature(requestOf('refused', change))).rejects.toThrow(ConfigError);
    await expect(runner.analyzeCurvature(requestOf('refused', change))).rejects.toThrow(message);
  });
});
