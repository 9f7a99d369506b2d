import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { batchOtBound, prepareBatchOt } from '../../../src/experiments/reproduce/batch-ot-bound.ts';
import { type BatchCell, judgeBound, similaritiesNeeded } from '../../../src/experiments/reproduce/batch-ot-claims.ts';
import { measureCells } from '../../../src/experiments/reproduce/batch-ot-measurement.ts';
import { boundLines } from '../../../src/experiments/reproduce/batch-ot-report.ts';
import type { RunEvent } from '../../../src/experiments/run-types.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-reproduce-'));
afterAll(() => rmSync(folder, { recursive: true }));

const small = { seed: 3, batchSizes: [2, 4, 16], dimensions: [8, 32], repetitions: 6 };
const never = new AbortController().signal;
const quiet = { signal: never, onEvent: () => {} };

/** A cell with measured values of one's own. */
function cell(dimensions: number, batch: number, { maximal = 0.1, paired = 0.05, error = 0.001 } = {}): BatchCell {
  const bound = Math.sqrt((2 * Math.log(batch)) / dimensions);
  const estimate = (mean: number) => ({ mean, standardError: error, count: 8 });
  return { dimensions, batch, bound, maximal: estimate(maximal), paired: estimate(paired) };
}

describe('the reproduction batch-ot-bound', () => {
  it('asks for the batches and dimensions of the table, and more repetitions at the scale of a paper', () => {
    const laptop = batchOtBound({ scale: 'laptop', seed: 7, data: null }).settings;
    expect(laptop).toMatchObject({ seed: 7, repetitions: 8, batchSizes: [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] });
    expect(laptop.dimensions).toEqual([8, 16, 32, 64, 128, 256, 512]);
    expect(batchOtBound({ scale: 'paper', seed: 7, data: null }).settings).toEqual({ ...laptop, repetitions: 64 });
  });

  it('measures every cell, finds the bound kept, and writes numbers and charts', async () => {
    const events: RunEvent[] = [];
    const directory = join(folder, 'a', 'small');
    const context = { directory, signal: never, onEvent: (event: RunEvent) => events.push(event) };
    const outcome = await prepareBatchOt(small).run(context);
    expect(outcome.agrees).toBe(true);
    expect(outcome.lines.join('\n')).toContain('The bound holds in all 6 cells');
    const names = [
      'similarity.json',
      'similarity.csv',
      'similarity-d8.svg',
      'similarity-d32.svg',
      'batch-for-half.svg',
    ];
    expect(outcome.paths).toEqual(names.map((name) => join(directory, name)));
    const result = JSON.parse(readFileSync(outcome.paths[0]!, 'utf8'));
    expect(result).toMatchObject({ ...small, violations: [] });
    expect(result.seconds).toBeGreaterThan(0);
    expect(result.cells).toHaveLength(6);
    const csv = readFileSync(outcome.paths[1]!, 'utf8').trimEnd().split('\n');
    expect(csv).toHaveLength(7);
    expect(csv[0]!.split(',')).toHaveLength(csv[1]!.split(',').length);
    expect(Number(csv[1]!.split(',')[3])).toBe(result.cells[0].maximal.mean);
    for (const path of outcome.paths.slice(2)) expect(readFileSync(path, 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect(events).toHaveLength(12);
    expect(events.at(-1)).toMatchObject({ kind: 'work', done: 12, count: 12, secondsLeft: 0 });
  });

  it('is a function of the seed', async () => {
    const [one, other, third] = await Promise.all([3, 3, 4].map((seed) => measureCells({ ...small, seed }, quiet)));
    expect(one).toEqual(other);
    expect(one).not.toEqual(third);
    expect(one!.every(({ maximal, paired }) => maximal.mean >= paired.mean - 4 * paired.standardError)).toBe(true);
  });

  it('stops when it is told to', async () => {
    const controller = new AbortController();
    const context = {
      directory: join(folder, 'stopped'),
      signal: controller.signal,
      onEvent: () => controller.abort(),
    };
    await expect(prepareBatchOt(small).run(context)).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('the verdict', () => {
  it('names every cell that is above the bound by more than four standard errors', () => {
    const kept = cell(64, 16);
    const withinError = cell(8, 2, { maximal: 0.42, error: 0.002 });
    const above = cell(8, 16, { maximal: 0.84, error: 0.001 });
    const wrong = cell(8, 4, { maximal: Number.NaN });
    const cells = [withinError, wrong, above, kept];
    const verdict = judgeBound(cells);
    expect(verdict.violations).toEqual([
      { dimensions: 8, batch: 4 },
      { dimensions: 8, batch: 16 },
    ]);
    const text = boundLines(cells, verdict, similaritiesNeeded(cells)).join('\n');
    expect(text).toContain(
      'THE BOUND IS VIOLATED in 2 of 4 cells, by more than 4 standard errors: n = 4, d = 8; n = 16, d = 8.',
    );
    expect(text).not.toContain('The bound holds');
  });

  it('says where the bound is tight and where it is loose', () => {
    const cells = [cell(8, 2, { maximal: 0.1 }), cell(8, 16, { maximal: 0.8 }), cell(8, 128, { maximal: 0.9 })];
    const { tightest, loosest } = judgeBound(cells);
    expect(tightest).toMatchObject({ dimensions: 8, batch: 16 });
    expect(tightest.ratio).toBeCloseTo(0.8 / cells[1]!.bound, 12);
    expect(loosest).toMatchObject({ dimensions: 8, batch: 2 });
  });
});

describe('the batch that a similarity of 1/2 takes', () => {
  it('lies on a line over log n between the measured ones, and is unknown beyond them', () => {
    const cells = [
      cell(16, 4, { maximal: 0.4, paired: 0.1 }),
      cell(16, 16, { maximal: 0.6, paired: 0.2 }),
      cell(8, 4, { maximal: 0.7, paired: 0.5 }),
    ];
    const [first, second] = similaritiesNeeded(cells);
    expect(first).toMatchObject({ dimensions: 16, paired: null });
    expect(first!.maximal).toBeCloseTo(8, 12);
    expect(first!.bound).toBeCloseTo(Math.E ** 2, 10);
    expect(first!.boundOfOne).toBeCloseTo(Math.E ** 8, 6);
    expect(second).toMatchObject({ dimensions: 8, maximal: 4, paired: 4 });
  });
});
