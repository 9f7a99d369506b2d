import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostClosedForm } from '../../src/closed-form/host-closed-form.ts';
import { ConfigError } from '../../src/errors.ts';
import { boundsPoints, middleTimes } from '../../src/experiments/bounds-points.ts';
import type { BoundedRun, BoundsRequest } from '../../src/experiments/bounds-request.ts';
import { rowsOf } from '../../src/experiments/exact-field.ts';
import { networkVelocity } from '../../src/experiments/network-velocity.ts';
import { runner } from '../../src/experiments/run.ts';
import { openRunData } from '../../src/experiments/run-data.ts';
import type { RunEvent } from '../../src/experiments/run-types.ts';
import { openRunModel, openTrainedRun, withSampler } from '../../src/experiments/trained-run.ts';
import { readNpz, writeNpz } from '../../src/formats/npz.ts';
import { uniforms } from '../models/model-graphs.ts';
import { sampled, smallConfig, trained } from './small-runs.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-bounds-'));
const [first, second, fromFile, wide] = ['first', 'second', 'file', 'wide'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
  string,
];

/** A file of vectors, which has no test split. */
function vectorFile(name: string, features: number): string {
  const path = join(folder, name);
  const data = uniforms(5, 100 * features) as Float32Array<ArrayBuffer>;
  writeFileSync(path, writeNpz(new Map([['x', { dtype: 'float32', shape: [100, features], data }]])));
  return path;
}

beforeAll(async () => {
  const model = { kind: 'mlp', hidden: [16, 16], activation: 'silu' } as const;
  await trained(first, smallConfig());
  await trained(second, smallConfig('points', { seed: 1 }));
  for (const [run, features] of [
    [fromFile, 2],
    [wide, 3],
  ] as const) {
    const source = vectorFile(`${features}.npz`, features);
    await trained(run, smallConfig('points', { model, data: { kind: 'vectors', source } }));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const { sampling, runtime } = smallConfig();
const bounded = (directory: string): BoundedRun => ({ directory, sampling, runtime });

function requestOf(out: string, change: Partial<BoundsRequest> = {}): BoundsRequest {
  return {
    runs: [bounded(first), bounded(second)],
    reference: first,
    lipschitzFrom: null,
    points: 'held-out',
    times: 4,
    samples: 20,
    jacobians: 6,
    tolerance: 0.01,
    maxIterations: 500,
    matched: 11,
    seed: 3,
    ema: true,
    outDirectory: join(folder, out),
    signal: new AbortController().signal,
    onEvent: () => {},
    ...change,
  };
}

/** E|v - u*|^2 at each time by plain loops, u* in float64. */
async function errorsByHand(directory: string, request: BoundsRequest): Promise<number[]> {
  const run = await openTrainedRun(directory);
  const { model, data } = await openRunModel(run.config);
  const { source, target, times, elements } = await boundsPoints(data, request, directory);
  const exact = hostClosedForm(rowsOf(data.rows));
  const pairs = target.length / elements;
  return withSampler(run, { model, group: 'ema', batch: 8, runtime }, async (sampler) => {
    const errors: number[] = [];
    for (const t of times) {
      const x = target.map((value, i) => t * value + (1 - t) * source[i]!);
      const time = new Float64Array(pairs).fill(t);
      const velocity = await networkVelocity(sampler)(x, time, { first: 0, count: pairs });
      const { velocity: reference } = await exact.evaluate(Float64Array.from(x), time);
      errors.push(reference.reduce((sum, value, i) => sum + (value - velocity[i]!) ** 2, 0) / pairs);
    }
    return errors;
  });
}

describe('the bounds of runs', () => {
  it.each(['held-out', 'training'] as const)(
    'hold E|v - u*|^2 at %s points, as plain loops have it',
    async (points) => {
      const request = requestOf(points, { points });
      const { runs, data, elements } = await runner.analyzeBounds(request);
      expect([data, elements]).toEqual([500, 2]);
      for (const [i, directory] of [first, second].entries()) {
        // Two moons drawn alike: the reference's data are those of both runs.
        const expected = await errorsByHand(directory, request);
        expect(runs[i]!.velocityErrors.map(({ time }) => time)).toEqual([0.125, 0.375, 0.625, 0.875]);
        for (const [k, { square, exactSquare }] of runs[i]!.velocityErrors.entries()) {
          expect(square.mean / expected[k]!).toBeCloseTo(1, 3);
          expect(square.count).toBe(20);
          expect(exactSquare.mean).toBeGreaterThan(0);
        }
      }
    },
  );

  it('are exp(int L dt) sqrt(int E|v - u*|^2 dt), and their sums for pairs', async () => {
    const { runs, lipschitz, pairwise } = await runner.analyzeBounds(requestOf('products'));
    for (const [i, { velocityErrors, bound, maximumBound, name, lipschitzOf }] of runs.entries()) {
      expect(lipschitzOf).toBe(name);
      const { times } = lipschitz[i]!.estimate;
      const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
      const error = Math.sqrt(mean(velocityErrors.map(({ square }) => square.mean)));
      expect(bound.velocityError).toBeCloseTo(error, 10);
      expect(bound.bound).toBeCloseTo(Math.exp(mean(times.map(({ median }) => median))) * error, 8);
      expect(maximumBound.bound).toBeCloseTo(Math.exp(mean(times.map(({ maximum }) => maximum))) * error, 8);
      expect(maximumBound.bound).toBeGreaterThan(bound.bound);
      expect(times.every(({ mean: { count } }) => count === 6)).toBe(true);
    }
    const [a, b] = runs.map(({ bound }) => bound.bound) as [number, number];
    expect(pairwise).toEqual([
      [0, a + b],
      [a + b, 0],
    ]);
  });

  it('stand beside the distance of just the samples that `sample` makes', async () => {
    const { matched, pairwise } = await runner.analyzeBounds(requestOf('matched'));
    const samples = async (directory: string) => {
      const arraysPath = join(folder, 'samples.npz');
      const seeds = Array.from({ length: 11 }, (_, i) => 3 + i);
      // The null class, 2, stands for both.
      await sampled(directory, { seeds, labels: seeds.map(() => 2), arraysPath });
      return readNpz(readFileSync(arraysPath)).get('samples')!.data as Float32Array;
    };
    const [a, b] = [await samples(first), await samples(second)];
    const square = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / 11;
    expect(matched![0]![1]!.rootMeanSquare).toBeCloseTo(Math.sqrt(square), 6);
    expect(matched![1]![0]).toEqual(matched![0]![1]);
    expect(matched![0]![0]!.rootMeanSquare).toBe(0);
    expect(pairwise[0]![1]).toBeGreaterThan(matched![0]![1]!.rootMeanSquare);
    expect((await runner.analyzeBounds(requestOf('alone', { matched: 0 }))).matched).toBeNull();
  });

  it('take the Lipschitz constants of one run for all, in the list or not', async () => {
    const own = await runner.analyzeBounds(requestOf('own'));
    const lent = await runner.analyzeBounds(requestOf('lent', { lipschitzFrom: bounded(second) }));
    expect(lent.lipschitz).toEqual([own.lipschitz[1]]);
    expect(lent.runs.map(({ lipschitzOf }) => lipschitzOf)).toEqual(['second', 'second']);
    expect(lent.runs.map(({ bound }) => bound.growth)).toEqual([own.runs[1]!.bound.growth, own.runs[1]!.bound.growth]);
    const change = { runs: [bounded(first)], lipschitzFrom: bounded(second), matched: 0 };
    const outside = await runner.analyzeBounds(requestOf('outside', change));
    expect(outside.runs).toEqual([lent.runs[0]]);
    expect(outside.lipschitz).toEqual(lent.lipschitz);
  });

  it('are of the same exact field and points for all, those of the reference', async () => {
    const change = { points: 'training', reference: fromFile, runs: [bounded(first), bounded(fromFile)] } as const;
    const { data, runs } = await runner.analyzeBounds(requestOf('reference', change));
    expect(data).toBe(100);
    const [a, b] = runs.map(({ velocityErrors }) => velocityErrors.map(({ exactSquare }) => exactSquare));
    expect(a).toEqual(b);
  });

  it('come out the same again, in every file, whatever the order of the runs', async () => {
    await runner.analyzeBounds(requestOf('a'));
    await runner.analyzeBounds(requestOf('b'));
    for (const name of ['bounds.json', 'bounds.csv', 'lipschitz.svg', 'velocity-error.svg']) {
      expect(readFileSync(join(folder, 'b', name), 'utf8')).toBe(readFileSync(join(folder, 'a', name), 'utf8'));
    }
    const { runs } = await runner.analyzeBounds(requestOf('c', { runs: [bounded(second), bounded(first)] }));
    const { runs: before } = JSON.parse(readFileSync(join(folder, 'a', 'bounds.json'), 'utf8'));
    expect(JSON.parse(JSON.stringify([...runs].reverse()))).toEqual(before);
  });

  it('are a row each in the table', async () => {
    await runner.analyzeBounds(requestOf('table'));
    const rows = readFileSync(join(folder, 'table', 'bounds.csv'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(rows[0]).toBe('run,quantity,time,other,value,standardError,count');
    // For each run: three norms and two velocities at four times, and five terms; one pair with two distances.
    expect(rows).toHaveLength(1 + 2 * (5 * 4 + 5) + 2);
    expect(rows.filter((row) => row.includes('matched distance'))).toHaveLength(1);
    for (const row of rows) expect(row.split(',')).toHaveLength(7);
  });

  it('tell their progress, and end when they are interrupted', async () => {
    const events: RunEvent[] = [];
    await runner.analyzeBounds(requestOf('told', { onEvent: (event) => void events.push(event) }));
    const parts = events.flatMap((event) => (event.kind === 'work' ? [event] : []));
    expect([...new Set(parts.map(({ what }) => what))]).toEqual([
      'first: velocity errors',
      'first: samples',
      'first: spectral norms',
      'second: velocity errors',
      'second: samples',
      'second: spectral norms',
    ]);
    expect(parts.at(-1)).toMatchObject({ done: 24, count: 24, unit: 'norms' });
    expect(parts.at(-1)!.secondsLeft).toBeCloseTo(0, 6);
    expect(parts.every(({ secondsLeft }) => Number.isNaN(secondsLeft) || secondsLeft >= -1e-6)).toBe(true);
    for (const stop of ['velocity errors', 'samples', 'spectral norms']) {
      const controller = new AbortController();
      const onEvent = (event: RunEvent) => {
        if (event.kind === 'work' && event.what?.endsWith(stop)) controller.abort();
      };
      const stopped = runner.analyzeBounds(requestOf('stopped', { signal: controller.signal, onEvent }));
      await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    }
  });

  it.each<[string, () => Partial<BoundsRequest>, string]>([
    ['no run', () => ({ runs: [] }), 'Expected at least one run; got none.'],
    ['one point', () => ({ samples: 1 }), 'Expected at least two points'],
    ['more norms than points', () => ({ jacobians: 21 }), 'Expected 1 to 20 points for the norms; got 21.'],
    ['no time', () => ({ times: 0 }), 'Expected at least one time'],
    ['a single sample', () => ({ matched: 1 }), 'Expected no samples, or at least two; got 1.'],
    ['seeds beyond 32 bits', () => ({ seed: 2 ** 32 - 1 }), 'Expected seeds below 2^32; got 4294967305.'],
    [
      'data without a test split',
      () => ({ reference: fromFile, runs: [bounded(fromFile)] }),
      'to hold some out, for points that training has not seen; got none. In analyze bounds. Try --points training',
    ],
    [
      'runs on other shapes',
      () => ({ runs: [bounded(first), bounded(wide)] }),
      'Expected runs on data of the shape [2]',
    ],
  ])('are refused for %s', async (_what, change, message) => {
    await expect(runner.analyzeBounds(requestOf('refused', change()))).rejects.toThrow(ConfigError);
    await expect(runner.analyzeBounds(requestOf('refused', change()))).rejects.toThrow(message);
  });
});

describe('the points of bounds', () => {
  it('are at the middles of equal intervals, and noises and data are those of the seed', async () => {
    expect(middleTimes(4)).toEqual([0.125, 0.375, 0.625, 0.875]);
    const data = await openRunData(smallConfig());
    const plan = requestOf('points');
    const points = await boundsPoints(data, plan, 'run');
    expect((await boundsPoints(data, plan, 'run')).source).toEqual(points.source);
    expect((await boundsPoints(data, { ...plan, seed: 4 }, 'run')).source).not.toEqual(points.source);
    expect(points.target).toEqual((await data.heldOut(20))!.target);
  });

  it('made of training data are rows of the set, each once', async () => {
    const data = await openRunData(smallConfig());
    const { target } = await boundsPoints(data, requestOf('points', { points: 'training' }), 'run');
    const all = await data.rows.read(
      Uint32Array.from({ length: 500 }, (_, row) => row),
      new Uint8Array(500),
    );
    const row = (values: Float32Array, i: number) => `${values[2 * i]} ${values[2 * i + 1]}`;
    const known = new Set(Array.from({ length: 500 }, (_, i) => row(all, i)));
    const chosen = Array.from({ length: 20 }, (_, i) => row(target, i));
    expect(chosen.every((one) => known.has(one))).toBe(true);
    expect(new Set(chosen).size).toBe(20);
  });

  it('of the norms are spread over all', async () => {
    const data = await openRunData(smallConfig());
    const { source, jacobians } = await boundsPoints(data, requestOf('points', { jacobians: 5 }), 'run');
    for (const i of [0, 1, 2, 3, 4])
      expect(jacobians.source.slice(2 * i, 2 * i + 2)).toEqual(source.slice(8 * i, 8 * i + 2));
  });
});
