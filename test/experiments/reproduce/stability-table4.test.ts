import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDataset } from '../../../src/data/open-dataset.ts';
import { ConfigError } from '../../../src/errors.ts';
import type { BoundsOutcome } from '../../../src/experiments/bounds-request.ts';
import type { ReproductionOutcome } from '../../../src/experiments/reproduce/reproduction.ts';
import {
  prepareTable4,
  stabilityTable4,
  type Table4Settings,
} from '../../../src/experiments/reproduce/stability-table4.ts';
import { judgeBounds } from '../../../src/experiments/reproduce/stability-table4-report.ts';
import { variantParts } from '../../../src/experiments/reproduce/stability-table4-runs.ts';
import type { RunEvent } from '../../../src/experiments/run-types.ts';
import type { NpyArray } from '../../../src/formats/npy.ts';
import { writeNpz } from '../../../src/formats/npz.ts';
import { stream } from '../../../src/numerics/stream.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-table4-'));
afterAll(() => rmSync(folder, { recursive: true }));

const classes = 4;
const count = 120;

/** A small set: stripes of a width for each class, on noise. */
function writeSet(): string {
  const path = join(folder, 'set.npz');
  const words = stream(1, 'stripes');
  const labels = Int32Array.from({ length: count }, () => words.below(classes));
  const images = Uint8Array.from({ length: count * 36 }, (_, i) => {
    const stripe = Math.floor((i % 6) / (1 + labels[Math.floor(i / 36)]!)) % 2;
    return 150 * stripe + words.below(100);
  });
  const arrays = new Map<string, NpyArray>([
    ['images', { dtype: 'uint8', shape: [count, 6, 6], data: images }],
    ['labels', { dtype: 'int32', shape: [count], data: labels }],
  ]);
  writeFileSync(path, writeNpz(arrays));
  return path;
}

const tiny: Table4Settings = {
  seed: 1,
  source: writeSet(),
  images: 128,
  model: { kind: 'mlp', hidden: [8] },
  runtime: { threads: 1 },
  plan: { times: 2, samples: 4, jacobians: 2, matched: 4, tolerance: 0.1, maxIterations: 20, ema: true },
};

function run(directory: string, change: Partial<Table4Settings> = {}, onEvent: (event: RunEvent) => void = () => {}) {
  const { signal } = new AbortController();
  return prepareTable4({ ...tiny, ...change }).run({ directory, signal, onEvent });
}

describe('the reproduction stability-table4', () => {
  const directory = join(folder, 'table');
  const events: RunEvent[] = [];
  let outcome: ReproductionOutcome;
  beforeAll(async () => {
    outcome = await run(directory, {}, (event) => void events.push(event));
  });
  const tables = () => outcome.result as unknown as { heldOut: BoundsOutcome; training: BoundsOutcome };

  it('trains on all data, on half of them and on half of the classes, and bounds each by the same constants', () => {
    const { heldOut, training } = tables();
    for (const { runs, lipschitz, reference, plan } of [heldOut, training]) {
      expect(runs.map(({ name }) => name)).toEqual(['unpruned', 'random-half', 'half-classes']);
      expect(runs.map(({ lipschitzOf }) => lipschitzOf)).toEqual(['unpruned', 'unpruned', 'unpruned']);
      expect(runs.map(({ imagesSeen }) => imagesSeen)).toEqual([128, 128, 128]);
      expect(lipschitz).toHaveLength(1);
      expect(reference).toBe(join(directory, 'runs', 'unpruned'));
      expect(plan.seed).toBe(1);
    }
    expect([heldOut.plan.points, training.plan.points]).toEqual(['held-out', 'training']);
    // A tenth of the set is held out.
    expect(heldOut.data).toBe(108);
    expect(heldOut.elements).toBe(36);
    expect(heldOut.matched).not.toBeNull();
    expect(training.matched).toBeNull();
  });

  it('says what it measured beside the paper, and writes it', () => {
    const text = outcome.lines.join('\n');
    expect(text).toMatch(/ unpruned +108 +4 .* 1\.47e\+3 +\+0\.0 %/);
    expect(text).toMatch(/ random-half +54 +4 .* - +- /);
    expect(text).toMatch(/half-classes +\d+ +2 .* 1\.70e\+3 +\+15\.6 %/);
    expect(text).toContain('(paper: 24.29)');
    expect(text).toContain('Left out: the rows of the paper pruned by loss, gradient and clusters');
    const [json, csv] = outcome.paths;
    expect(JSON.parse(readFileSync(json!, 'utf8')).heldOut.runs).toEqual(
      JSON.parse(JSON.stringify(tables().heldOut.runs)),
    );
    expect(readFileSync(csv!, 'utf8').trimEnd().split('\n')).toHaveLength(4);
    expect(outcome.agrees).toBe(Object.values(judgeBounds(tables().heldOut)).every(Boolean));
    for (const path of outcome.paths) expect(statSync(path).size).toBeGreaterThan(0);
  });

  it('tells the training and the measurement of each network', () => {
    const parts = new Set(events.flatMap((event) => (event.kind === 'work' ? [event.what] : [])));
    for (const name of ['unpruned', 'random-half', 'half-classes']) {
      expect(parts).toContain(`training ${name}`);
      expect(parts).toContain(`${name}: velocity errors`);
    }
    expect(parts).toContain('unpruned: spectral norms');
    expect(parts).not.toContain('half-classes: spectral norms');
  });

  it('finds its networks done when it is called again, and gives the same numbers', async () => {
    const again: RunEvent[] = [];
    const { result } = await run(directory, {}, (event) => void again.push(event));
    expect(again.some((event) => event.kind === 'work' && event.what?.startsWith('training'))).toBe(false);
    const { heldOut, training } = result as unknown as ReturnType<typeof tables>;
    expect(heldOut.runs).toEqual(tables().heldOut.runs);
    expect(training.runs).toEqual(tables().training.runs);
  });

  it('refuses a folder with other networks', async () => {
    await expect(run(directory, { images: 192 })).rejects.toThrow(ConfigError);
    await expect(run(directory, { images: 192 })).rejects.toThrow('Try another folder for --out');
  });

  it('goes on after an interrupt where it stopped', async () => {
    const controller = new AbortController();
    const place = join(folder, 'stopped');
    const stopped = prepareTable4(tiny).run({
      directory: place,
      signal: controller.signal,
      onEvent: (event) => event.kind === 'work' && event.what === 'training random-half' && controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    const events: RunEvent[] = [];
    const { result } = await run(place, {}, (event) => void events.push(event));
    const trainings = events.flatMap((event) => (event.kind === 'work' ? [event.what] : []));
    expect(trainings).not.toContain('training unpruned');
    expect(trainings).toContain('training half-classes');
    const { heldOut } = result as unknown as ReturnType<typeof tables>;
    const numbers = ({ runs }: BoundsOutcome) => runs.map(({ velocityErrors }) => velocityErrors);
    expect(numbers(heldOut)).toEqual(numbers(tables().heldOut));
  });

  it('has settings for both scales, and takes other data', () => {
    const laptop = stabilityTable4({ scale: 'laptop', seed: 5, data: null }).settings;
    expect(laptop).toMatchObject({ seed: 5, source: 'fashion', images: 25_600 });
    const paper = stabilityTable4({ scale: 'paper', seed: 5, data: 'portraits' }).settings;
    expect(paper).toMatchObject({ source: 'portraits' });
    expect(paper.images).toBeGreaterThan(laptop.images as number);
  });
});

describe('the parts of a set', () => {
  it('are half of the data at random, and the data of half of the classes', async () => {
    const set = await openDataset({ source: 'fashion' });
    const [all, half, classes] = variantParts(set, 3);
    expect(all!.rows).toBeNull();
    expect(half!.rows).toHaveLength(5000);
    expect(new Set(half!.rows).size).toBe(5000);
    const kept = new Set(Array.from(classes!.rows!, (row) => set.labels[row]!));
    expect(kept.size).toBe(5);
    const members = Array.from(set.labels).filter((label) => kept.has(label)).length;
    expect(classes!.rows).toHaveLength(members);
    // Of a random half, all classes remain.
    expect(new Set(Array.from(half!.rows!, (row) => set.labels[row]!)).size).toBe(10);
    expect(variantParts(set, 3)).toEqual([all, half, classes]);
    expect(variantParts(set, 4)[1]!.rows).not.toEqual(half!.rows);
  });

  it('want classes', async () => {
    const set = await openDataset({ source: 'fashion' });
    expect(() => variantParts({ ...set, classes: null }, 0)).toThrow(ConfigError);
    expect(() => variantParts({ ...set, classes: ['one'] }, 0)).toThrow('at least two classes');
  });
});

describe('the claims', () => {
  const outcome = (bounds: readonly number[], distance: number) => {
    const names = ['unpruned', 'random-half', 'half-classes'];
    const runs = bounds.map((bound, i) => ({ name: names[i], bound: { bound } }));
    const pairwise = bounds.map((a, i) => bounds.map((b, j) => (i === j ? 0 : a + b)));
    const matched = bounds.map((_, i) => bounds.map((__, j) => ({ rootMeanSquare: i === j ? 0 : distance })));
    return { runs, pairwise, matched } as unknown as BoundsOutcome;
  };

  it('are found where they hold, and not where they do not', () => {
    expect(judgeBounds(outcome([10, 11, 12], 2))).toEqual({ largestWithoutHalf: true, farAboveSamples: true });
    expect(judgeBounds(outcome([10, 12, 12], 2)).largestWithoutHalf).toBe(false);
    expect(judgeBounds(outcome([13, 11, 12], 2)).largestWithoutHalf).toBe(false);
    expect(judgeBounds(outcome([10, 11, 12], 2.2)).farAboveSamples).toBe(false);
    expect(judgeBounds({ ...outcome([10, 11, 12], 2), matched: null }).farAboveSamples).toBe(false);
  });
});
