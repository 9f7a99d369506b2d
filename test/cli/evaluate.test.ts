import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { valueText } from '../../src/cli/evaluation-text.ts';
import type { EvaluateRequest, EvaluationRecord } from '../../src/experiments/evaluate-request.ts';
import { readConfig } from '../../src/experiments/read-config.ts';
import { fakeRunner, finished, runCommand } from './run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-evaluate-'));
writeFileSync(join(folder, 'config.json'), JSON.stringify(readConfig('fashion-unet')));
afterAll(() => rmSync(folder, { recursive: true }));

const common = { unit: 'units', samples: { generated: 5, reference: 7 }, standardError: 0.123 };
const record: EvaluationRecord = {
  generated: {
    kind: 'run',
    imagesSeen: 100,
    parameters: 'ema',
    seeds: { first: 0, count: 5 },
    sampling: { solver: { kind: 'midpoint', steps: 20, grid: { kind: 'uniform' } }, guidance: 1.5, batchSize: 100 },
  },
  features: 'pixels',
  reference: 'fashion train',
  metrics: [
    { ...common, name: 'frechet-distance', value: 12.3456, convention: 'features=pixels; covariance=n-1' },
    { ...common, name: 'precision', value: 0.5, convention: 'features=pixels; k=3' },
    { ...common, name: 'recall', value: 0.25, convention: 'features=pixels; k=3' },
  ],
};

async function evaluate(...args: string[]) {
  const requests: EvaluateRequest[] = [];
  const { runner } = fakeRunner((request) => ({ ...finished, directory: request.directory }));
  const evaluating = {
    ...runner,
    async evaluate(request: EvaluateRequest) {
      requests.push(request);
      return { record, seconds: 61, paths: request.outPath === null ? [] : [request.outPath] };
    },
  };
  const result = await runCommand(['evaluate', ...args], { runner: evaluating });
  return { ...result, request: requests[0] };
}

describe('evaluate', () => {
  it('judges 500 samples by the settings of the run, and keeps the record with it', async () => {
    const { status, request, lines, errors } = await evaluate(folder, '--json');
    expect(status).toBe(0);
    expect(request).toMatchObject({
      kind: 'model',
      model: folder,
      seeds: { first: 0, count: 500 },
      against: 'train',
      metrics: null,
      features: null,
      referenceCount: 10_000,
      sampling: readConfig('fashion-unet').sampling,
      ema: true,
      outPath: join(folder, 'metrics.json'),
    });
    expect(lines).toContain(join(folder, 'metrics.json'));
    expect(errors).toContain('In 1:01');
    // The last line says the same whenever it is printed.
    expect(JSON.parse(lines.at(-1)!)).toEqual(record);
  });

  it('prints a table whose conventions stand below it, each once', async () => {
    const { lines } = await evaluate(folder);
    const text = lines.join('\n');
    expect(text).toContain(
      'samples of seeds 0 to 4, 100 images seen, averaged parameters, midpoint with 20 steps, guidance 1.5',
    );
    expect(text).toContain('compared with fashion train by pixels');
    expect(lines.find((line) => line.includes('frechet-distance'))).toMatch(
      /12\.35 ± 0\.12 +units +5 generated, 7 reference +\[1\]$/,
    );
    expect(lines.filter((line) => line.endsWith('[2]'))).toHaveLength(2);
    expect(lines.filter((line) => line.includes('k=3'))).toEqual(['[2] features=pixels; k=3']);
  });

  it('takes metrics, features, seeds and changes', async () => {
    const flags = ['--metrics', 'prdc,frechet', '--features', 'pixels', '--seeds', '7-9', '--against', 'heldOut'];
    const { request } = await evaluate(folder, ...flags, '--set', 'sampling.solver.steps=3', '--no-ema');
    expect(request).toMatchObject({
      metrics: ['frechet', 'prdc'],
      features: 'pixels',
      seeds: { first: 7, count: 3 },
      against: 'heldOut',
      sampling: { solver: { steps: 3 } },
      ema: false,
    });
  });

  it('takes images from anywhere, and exact fields', async () => {
    const { request } = await evaluate('--folder', 'a', '--against', 'b', '--split', 'test', '--size', '32');
    expect(request).toMatchObject({ kind: 'set', source: 'a', against: 'b', split: 'test', size: 32, outPath: null });
    const exact = await evaluate('closed-form:fashion', '--set', 'lastStep=0.01');
    expect(exact.request).toMatchObject({
      kind: 'model',
      model: 'closed-form:fashion',
      exact: { data: { source: 'fashion' }, lastStep: 0.01 },
      outPath: null,
    });
  });

  it.each([
    [[], 'Expected either a run or --folder; got neither.'],
    [[folder, '--folder', 'a'], 'got both'],
    [['--folder', 'a'], 'Expected --against with the images to compare with; got none.'],
    [['--folder', 'a', '--against', 'b', '--count', '3'], 'which are for samples of a run'],
    [['--folder', 'a', '--against', 'b', '--split', 'x'], 'Expected --split to be train or test'],
    [[folder, '--against', 'test'], 'Expected --against to be train or heldOut; got "test".'],
    [[folder, '--size', '8'], '--split and --size with --folder only'],
    [[folder, '--metrics', 'fid'], 'Expected metrics to be all, or some of frechet,'],
    [[folder, '--seeds', '4294967290-4294967296'], 'Expected seeds below 2^32'],
  ])('refuses %j', async (args, message) => {
    const { status, errors, request } = await evaluate(...args);
    expect(errors).toContain(message);
    expect(status).toBe(2);
    expect(request).toBeUndefined();
  });

  it('prints the request without doing it', async () => {
    const { lines, request } = await evaluate(folder, '--dry-run', '--json');
    expect(request).toBeUndefined();
    expect(JSON.parse(lines.join(''))).toMatchObject({ kind: 'model', seeds: { count: 500 } });
  });
});

describe('a value', () => {
  it('has as many digits as its error has two of', () => {
    expect(valueText({ value: 1.23456, standardError: 0.0456 })).toBe('1.235 ± 0.046');
    expect(valueText({ value: 1234.5, standardError: 120 })).toBe('1235 ± 120');
    expect(valueText({ value: 0, standardError: 0 })).toBe('0 ± 0');
    expect(valueText({ value: 1.23456789, standardError: null })).toBe('1.23457');
  });
});
