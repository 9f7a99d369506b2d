import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../src/data/open-dataset.ts';
import { readExactModel } from '../../src/experiments/exact-model.ts';
import { openFieldData, resizedData, runFieldData } from '../../src/experiments/field-data.ts';
import { openRunData } from '../../src/experiments/run-data.ts';
import { type GeneratedBatch, generatedSamples, withSampleSource } from '../../src/experiments/sample-source.ts';
import { readNpz } from '../../src/formats/npz.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { sampled, smallConfig, trained } from './small-runs.ts';

const folder = temporaryFolders();
const seeds = Uint32Array.from({ length: 10 }, (_, i) => i);
const exact = (source: string, count: number | null) => ({ data: { source, count, size: null }, lastStep: 1e-3 });

/** Smallest distance of a row to the data, or to those of them that are chosen. */
function nearest(row: Float32Array, data: Float32Array, chosen: (datum: number) => boolean = () => true): number {
  let least = Number.POSITIVE_INFINITY;
  for (let datum = 0; datum < data.length / row.length; datum++) {
    if (!chosen(datum)) continue;
    let square = 0;
    for (let k = 0; k < row.length; k++) square += (row[k]! - data[datum * row.length + k]!) ** 2;
    least = Math.min(least, square);
  }
  return Math.sqrt(least);
}

async function collect(generator: AsyncIterable<GeneratedBatch>): Promise<GeneratedBatch[]> {
  const batches: GeneratedBatch[] = [];
  for await (const batch of generator) batches.push(batch);
  return batches;
}

describe('samples of an exact field', () => {
  it('of pictures are pictures of the set, of the class that is asked for', async () => {
    const request = { model: 'closed-form:fashion', ema: true, exact: exact('fashion', 300) };
    await withSampleSource(request, async (source) => {
      const { rows, labels, classes } = source.data;
      expect([rows.count, labels.length, classes?.length]).toEqual([300, 300, 10]);
      const set = await openDataset({ source: 'fashion' });
      expect(labels).toEqual(set.labels.slice(0, 300));
      const all = await rows.read(0, rows.count);
      for (const wanted of [null, Int32Array.from(seeds)]) {
        const [batch] = await collect(generatedSamples(source, { seeds, labels: wanted }));
        expect(batch!.labels).toEqual(wanted);
        expect(batch!.pixels).toEqual(await source.data.latent!.decode(batch!.latents));
        for (const row of seeds.keys()) {
          const sample = batch!.latents.subarray(row * 784, (row + 1) * 784);
          const chosen = (datum: number) => wanted === null || labels[datum] === wanted[row];
          expect(nearest(sample, all, chosen)).toBeLessThan(1e-5);
        }
      }
    });
  });

  it('of points are points of the set, which knows others that are held out', async () => {
    const { sampling } = readExactModel('two-moons', ['sampling.solver.kind=midpoint', 'sampling.solver.steps=100']);
    const settings = { ...exact('two-moons', 100), lastStep: 1e-4 };
    const request = { model: 'closed-form:two-moons', ema: true, sampling, exact: settings };
    await withSampleSource(request, async (source) => {
      const all = await source.data.rows.read(0, 100);
      const batches = await collect(generatedSamples(source, { seeds, labels: null }));
      expect(batches.map(({ pixels }) => pixels)).toEqual([null]);
      for (const row of seeds.keys()) {
        expect(nearest(batches[0]!.latents.subarray(row * 2, row * 2 + 2), all)).toBeLessThan(1e-5);
      }
      const held = await source.data.heldOut(50);
      expect(held!.target).toHaveLength(100);
      expect(nearest(held!.target.subarray(0, 2), all)).toBeGreaterThan(0);
    });
  });

  it.each([
    [{ kind: 'euler', steps: 7, grid: { kind: 'uniform' } }, 8],
    [{ kind: 'heun', steps: 7, grid: { kind: 'cosine' } }, 15],
  ] as const)('by %j take %d evaluations, twice as many with guidance', async (solver, count) => {
    const request = { exact: exact('two-moons', 50), seeds: [1, 2, 3], labels: [0, 1, 0] };
    const plain = await sampled('closed-form:two-moons', { ...request, sampling: { solver } });
    expect(plain.outcome).toMatchObject({ samples: 3, evaluations: count, converged: true, paths: [] });
    const guided = await sampled('closed-form:two-moons', { ...request, sampling: { solver, guidance: 2 } });
    expect(guided.outcome.evaluations).toBe(2 * count);
  });

  it('by dopri5 take 2 + 6 evaluations a step and one more, and are written as arrays', async () => {
    const arraysPath = join(folder(), 'samples.npz');
    const { sampling } = readExactModel('two-moons', ['sampling.solver.kind=dopri5']);
    const request = { exact: exact('two-moons', 50), sampling, arraysPath };
    const { outcome, events } = await sampled('closed-form:two-moons', request);
    const arrays = readNpz(readFileSync(arraysPath));
    const evaluations = [...(arrays.get('evaluations')!.data as Int32Array)];
    for (const count of evaluations) expect((count - 3) % 6).toBe(0);
    expect(outcome.evaluations).toBeCloseTo(evaluations.reduce((a, b) => a + b) / 3, 10);
    expect(arrays.get('samples')!.shape).toEqual([3, 2]);
    expect(arrays.has('labels')).toBe(false);
    expect(events).toMatchObject([{ kind: 'sample', done: 3, count: 3 }]);
  });
});

describe('samples of a run', () => {
  it('are those that sampling writes, and come with the data of the run', async () => {
    const directory = join(folder(), 'run');
    const config = smallConfig();
    await trained(directory, config);
    const arraysPath = join(folder(), 'samples.npz');
    await sampled(directory, { seeds: [...seeds], arraysPath });
    const arrays = readNpz(readFileSync(arraysPath));
    await withSampleSource({ model: directory, ema: true }, async (source) => {
      expect(source.sampling).toEqual(config.sampling);
      const batches = await collect(generatedSamples(source, { seeds, labels: null }));
      expect(batches.map(({ latents }) => latents.length)).toEqual([16, 4]);
      expect(batches.flatMap(({ latents }) => [...latents])).toEqual([...arrays.get('samples')!.data]);
      expect(batches.flatMap(({ labels }) => [...labels!])).toEqual([...arrays.get('labels')!.data]);
      const { rows, labels, classes } = source.data;
      expect([rows.count, labels.length, classes]).toEqual([500, 500, ['upper', 'lower']]);
      expect((await source.data.heldOut(20))!.labels).toHaveLength(20);
    });
  });
});

describe('the data of a model', () => {
  it('have labels for mirrored data too', async () => {
    const base = smallConfig('pictures');
    const data = await openRunData({ ...base, data: { ...base.data, flip: true } as typeof base.data });
    const { rows, labels } = runFieldData(data);
    expect(labels).toHaveLength(rows.count);
    expect(labels.slice(data.count)).toEqual(labels.slice(0, data.count));
  });

  it('hold images out in the size of the others, where the set has test images', async () => {
    const small = resizedData(await openFieldData('fashion', { count: 5 }), 7);
    const held = await small.heldOut(3);
    expect(held!.target).toHaveLength(3 * 49);
    expect(small.latent!.shape).toEqual([1, 7, 7]);
    expect(await (await openFieldData('portraits', { count: 2, size: 8 })).heldOut(3)).toBeNull();
  });
});

describe('the settings of an exact field', () => {
  it('have a last step, and short steps before it whatever the solver', () => {
    const { lastStep, sampling } = readExactModel('fashion');
    expect(lastStep).toBe(1e-3);
    expect(sampling.solver).toEqual({ kind: 'euler', steps: 50, grid: { kind: 'cosine' } });
    const changed = readExactModel('fashion', [
      'sampling.solver.kind=heun',
      'sampling.solver.steps=9',
      'lastStep=0.01',
    ]);
    expect(changed).toMatchObject({
      lastStep: 0.01,
      sampling: { solver: { kind: 'heun', steps: 9, grid: { kind: 'cosine' } } },
    });
    expect(readExactModel('fashion', ['sampling.solver.kind=dopri5']).sampling.solver).toMatchObject({
      kind: 'dopri5',
      relativeTolerance: 1e-5,
    });
  });
});
