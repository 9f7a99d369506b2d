import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../src/errors.ts';
import { runtimeDefaults } from '../../src/experiments/config.ts';
import type { EvaluateModelRequest, EvaluateSetRequest } from '../../src/experiments/evaluate-request.ts';
import { keepEvaluation, readEvaluations } from '../../src/experiments/evaluation-file.ts';
import { type EvaluationFacts, planMetrics } from '../../src/experiments/evaluation-metrics.ts';
import { readExactModel } from '../../src/experiments/exact-model.ts';
import { openFieldData } from '../../src/experiments/field-data.ts';
import { labelsOfSeeds } from '../../src/experiments/generated-set.ts';
import { metricNames, metricValueNames, metricValues, parseMetricNames } from '../../src/experiments/metric-names.ts';
import { runner } from '../../src/experiments/run.ts';
import type { RunEvent } from '../../src/experiments/run-types.ts';
import { fieldPopulation, storedPopulation, takeSamples } from '../../src/experiments/sample-set.ts';
import { openStoredData } from '../../src/experiments/stored-data.ts';
import type { NpyArray } from '../../src/formats/npy.ts';
import { writeNpz } from '../../src/formats/npz.ts';
import { stream } from '../../src/numerics/stream.ts';
import { smallConfig, trained } from './small-runs.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-evaluate-'));
const points = join(folder, 'points');
const images = join(folder, 'images.npz');

beforeAll(async () => {
  await trained(points, smallConfig('points', { training: { images: 64, schedule: { kind: 'constant' } } }));
  const random = stream(1, 'test-images');
  const pixels = Uint8Array.from({ length: 40 * 8 * 8 }, () => random.below(256));
  const labels = Int32Array.from({ length: 40 }, (_, i) => i % 2);
  const arrays = new Map<string, NpyArray>([
    ['images', { dtype: 'uint8', shape: [40, 8, 8], data: pixels }],
    ['labels', { dtype: 'int32', shape: [40], data: labels }],
  ]);
  writeFileSync(images, writeNpz(arrays));
});
afterAll(() => rmSync(folder, { recursive: true }));

const shared = { metrics: null, features: null, referenceCount: 300, outPath: null } as const;

async function ofModel(change: Partial<EvaluateModelRequest> = {}) {
  const events: RunEvent[] = [];
  const { sampling, runtime } = smallConfig();
  const outcome = await runner.evaluate({
    ...shared,
    kind: 'model',
    model: points,
    seeds: { first: 0, count: 40 },
    against: 'train',
    sampling,
    runtime,
    ema: true,
    signal: new AbortController().signal,
    onEvent: (event) => void events.push(event),
    ...change,
  });
  return { ...outcome, events };
}

async function ofSet(change: Partial<EvaluateSetRequest> = {}) {
  const { record } = await runner.evaluate({
    ...shared,
    kind: 'set',
    source: images,
    against: images,
    split: 'train',
    size: null,
    features: 'pixels',
    runtime: runtimeDefaults(),
    signal: new AbortController().signal,
    onEvent: () => {},
    ...change,
  });
  return record;
}

const valueIn = (metrics: readonly { readonly name: string; readonly value: number }[], name: string) =>
  metrics.find((metric) => metric.name === name)!.value;

describe('evaluate', () => {
  it('gives the same record twice, and keeps one of it', async () => {
    const outPath = join(folder, 'new', 'metrics.json');
    const first = await ofModel({ outPath });
    const text = readFileSync(outPath, 'utf8');
    const second = await ofModel({ outPath });
    expect(second.record).toEqual(first.record);
    expect(readFileSync(outPath, 'utf8')).toBe(text);
    expect(readEvaluations(outPath)).toEqual([first.record]);
    expect(first.paths).toEqual([outPath]);
    expect(first.record).toMatchObject({
      generated: { kind: 'run', imagesSeen: 64, parameters: 'ema', seeds: { first: 0, count: 40 } },
      features: 'coordinates 2',
      reference: 'two-moons train, seed 0',
    });
    const expected = metricValueNames.filter(
      (name) => !['inception-score', 'label-accuracy', 'balance'].includes(metricValues[name].metric),
    );
    expect(first.record.metrics.map(({ name }) => name)).toEqual(expected);
    for (const { value } of first.record.metrics) expect(Number.isFinite(value)).toBe(true);
  });

  it('says what it cannot measure, and refuses it where it is asked for by name', async () => {
    const { events } = await ofModel({ metrics: null, seeds: { first: 0, count: 20 } });
    expect(events.filter(({ kind }) => kind === 'note')).toEqual([
      {
        kind: 'note',
        text: 'Without frechet-infinite: expected at least 30 generated samples; got 20. Try --count 30 or more.',
      },
      {
        kind: 'note',
        text: 'Without inception-score, label-accuracy, balance: expected images; got vectors. Try the other metrics.',
      },
    ]);
    await expect(ofModel({ metrics: ['balance'] })).rejects.toThrow('Expected images for `balance`; got vectors.');
    await expect(ofModel({ features: 'pixels' })).rejects.toThrow(ConfigError);
  });

  it('tells how much is done of data, samples and metrics', async () => {
    const { events } = await ofModel({ metrics: ['frechet'] });
    const work = events.flatMap((event) =>
      event.kind === 'work' ? [`${event.what} ${event.done}/${event.count}`] : [],
    );
    expect(work[0]).toContain('features of two-moons train, seed 0, 300 of 500 256/300');
    expect(work.slice(-2)).toEqual(['samples 40/40', 'metrics 1/1']);
  });

  it('writes nothing when it is interrupted', async () => {
    const outPath = join(folder, 'interrupted.json');
    const controller = new AbortController();
    const onEvent = ({ kind }: RunEvent) => {
      if (kind === 'work') controller.abort();
    };
    await expect(ofModel({ outPath, signal: controller.signal, onEvent })).rejects.toThrow('aborted');
    expect(existsSync(outPath)).toBe(false);
  });

  it('finds the exact field to give back its data', async () => {
    const { data, lastStep, sampling, runtime } = readExactModel('two-moons', ['data.count=200']);
    const { record } = await ofModel({
      model: 'closed-form:two-moons',
      exact: { data, lastStep },
      sampling,
      runtime,
      metrics: ['memorisation'],
    });
    expect(valueIn(record.metrics, 'memorised')).toBe(1);
    expect(record.generated).toMatchObject({ kind: 'exact', model: 'closed-form:two-moons', data: { count: 200 } });
    const held = await ofModel({
      model: 'closed-form:two-moons',
      exact: { data, lastStep },
      against: 'heldOut',
      referenceCount: 50,
      sampling,
      runtime,
      metrics: ['prdc'],
    });
    expect(held.record.reference).toContain('held out');
    expect(valueIn(held.record.metrics, 'precision')).toBeGreaterThan(0.5);
  });

  it('compares images with themselves as equal, and refuses what is not there', async () => {
    const { metrics, generated } = await ofSet();
    expect(generated).toEqual({ kind: 'set', source: images, count: 40 });
    expect(valueIn(metrics, 'frechet-distance')).toBeCloseTo(0, 9);
    for (const name of ['precision', 'recall', 'coverage', 'memorised']) expect(valueIn(metrics, name)).toBe(1);
    expect(valueIn(metrics, 'nearest-ratio')).toBe(0);
    await expect(ofSet({ against: join(folder, 'nothing') })).rejects.toThrow(DataError);
    await expect(ofSet({ features: 'pixel' })).rejects.toThrow('got "pixel"');
  });
});

describe('evaluate by a classifier of the labels', () => {
  const before = process.env.FLOWLOOM_CACHE;
  beforeAll(() => {
    process.env.FLOWLOOM_CACHE = join(folder, 'cache');
  });
  afterAll(() => {
    if (before === undefined) delete process.env.FLOWLOOM_CACHE;
    else process.env.FLOWLOOM_CACHE = before;
  });

  it('measures everything of images with labels unless told otherwise, and the same by the kept classifier', async () => {
    const first = await ofSet({ features: null });
    expect(first.features).toMatch(/^domain images\.npz:label .*@[0-9a-f]{16}$/);
    expect(first.metrics.map(({ name }) => name)).toEqual(metricValueNames);
    const accuracy = valueIn(first.metrics, 'label-accuracy');
    expect(accuracy).toBeGreaterThanOrEqual(0);
    expect(accuracy).toBeLessThanOrEqual(1);
    expect(await ofSet({ features: null })).toEqual(first);
  });
});

describe('metrics.json', () => {
  it('replaces what is measured again, and keeps the rest', () => {
    const path = join(folder, 'kept.json');
    const metric = (name: string, value: number) => ({
      ...{ name, value, unit: '', samples: {}, standardError: null, convention: 'c' },
    });
    const generated = { kind: 'set', source: 'a', count: 2 } as const;
    const record = { generated, features: 'f', reference: 'r', metrics: [metric('a', 1), metric('b', 2)] };
    keepEvaluation(path, record);
    keepEvaluation(path, { ...record, reference: 'other' });
    keepEvaluation(path, { ...record, metrics: [metric('b', 3)] });
    expect(readEvaluations(path)).toEqual([
      { ...record, metrics: [metric('b', 3), metric('a', 1)] },
      { ...record, reference: 'other' },
    ]);
    writeFileSync(path, '{}');
    expect(() => readEvaluations(path)).toThrow(DataError);
    writeFileSync(path, 'no JSON');
    expect(() => readEvaluations(path)).toThrow(DataError);
  });
});

describe('the plan of metrics', () => {
  const facts: EvaluationFacts = {
    generated: 100,
    reference: 100,
    training: 100,
    images: true,
    classifier: true,
    labels: true,
  };

  it('is everything where all is there', () => {
    expect(planMetrics(null, facts)).toEqual({ names: metricNames, notes: [], classes: true, training: true });
    expect(planMetrics(['frechet'], facts)).toMatchObject({ names: ['frechet'], classes: false, training: false });
  });

  it('leaves out what needs a classifier, labels or more samples', () => {
    const { names } = planMetrics(null, { ...facts, classifier: false });
    expect(names).not.toContain('inception-score');
    expect(() => planMetrics(['inception-score'], { ...facts, classifier: false })).toThrow('--features domain');
    expect(planMetrics(null, { ...facts, labels: false }).names).toEqual(
      metricNames.filter((name) => name !== 'label-accuracy'),
    );
    expect(planMetrics(null, { ...facts, generated: 3, reference: 3 }).names).toEqual([
      'frechet',
      'kernel',
      'memorisation',
      'label-accuracy',
      'balance',
    ]);
  });

  it('reads names, and names the one that was meant', () => {
    expect(parseMetricNames('all')).toBeNull();
    expect(parseMetricNames('prdc, frechet')).toEqual(['frechet', 'prdc']);
    expect(() => parseMetricNames('frechet,kernal')).toThrow('Try kernel.');
  });
});

describe('sets of samples', () => {
  it('are the same data from a run and from an exact field, spread evenly', async () => {
    const stored = storedPopulation((await openStoredData(smallConfig(), 'train'))!, 'points');
    const field = fieldPopulation(await openFieldData('two-moons', { count: 500 }));
    const rows = Uint32Array.of(3, 7, 499);
    expect(await field.read(rows)).toEqual(await stored.read(rows));
    const { name, count, parts } = takeSamples(stored, 5);
    expect([name, count]).toEqual(['points, 5 of 500', 5]);
    const { signal } = new AbortController();
    for await (const { values, labels } of parts(signal)) {
      expect(values).toEqual(await stored.read(Uint32Array.of(0, 100, 200, 300, 400)));
      expect([...labels!]).toEqual([0, 100, 200, 300, 400].map((row) => stored.labels[row]));
    }
  });

  it('have labels as often as the data, each by its seed alone', () => {
    const data = Int32Array.from({ length: 100 }, (_, i) => (i < 90 ? 0 : 1));
    const seeds = Uint32Array.from({ length: 2000 }, (_, i) => i);
    const labels = labelsOfSeeds(seeds, data);
    const share = labels.reduce((sum, label) => sum + label, 0) / 2000;
    expect(Math.abs(share - 0.1)).toBeLessThan(4 * Math.sqrt(0.09 / 2000));
    expect([...labelsOfSeeds(Uint32Array.of(7, 3), data)]).toEqual([labels[7], labels[3]]);
  });
});
