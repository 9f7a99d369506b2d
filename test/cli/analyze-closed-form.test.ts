import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClosedFormOutcome } from '../../src/experiments/closed-form-request.ts';
import { runner } from '../../src/experiments/run.ts';
import { smallConfig, trained } from '../experiments/small-runs.ts';
import { runCommand } from './run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-closed-form-'));
const [points, pictures] = [join(folder, 'points'), join(folder, 'pictures')];
beforeAll(async () => {
  await trained(points, smallConfig());
  await trained(pictures, smallConfig('pictures'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const analyze = (...args: readonly string[]) => runCommand(['analyze', 'closed-form', ...args], { runner });
const outcomeOf = ({ lines }: Awaited<ReturnType<typeof analyze>>) => JSON.parse(lines.at(-1)!) as ClosedFormOutcome;
const small = ['--pairs', '6', '--times', '10', '--json'];

describe('analyze closed-form', () => {
  it('measures the alignment of images at several sizes, without a run', async () => {
    const out = join(folder, 'sizes');
    const flags = ['--count', '40', '--sizes', '4,8', '--out', out, '--seed', '3', ...small];
    const result = await analyze('portraits', ...flags);
    expect(result.errors).not.toContain('Expected');
    expect(result.status).toBe(0);
    const { alignment, run, error, paths, seed } = outcomeOf(result);
    expect([run, error, seed]).toEqual([null, null, 3]);
    expect(alignment!.map(({ name, shape, elements, count }) => [name, shape, elements, count])).toEqual([
      ['portraits 4 px', [3, 4, 4], 48, 40],
      ['portraits 8 px', [3, 8, 8], 192, 40],
    ]);
    for (const { times, collapseTime, closeTime, determinedTime } of alignment!) {
      expect(times.map(({ time }) => time)).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
      expect(collapseTime).toBe(times.find(({ aligned }) => aligned > 0.5)!.time);
      expect(closeTime).toBe(times.find(({ closelyAligned }) => closelyAligned > 0.5)!.time);
      expect(determinedTime).toBe(times.find(({ determined }) => determined > 0.5)!.time);
      for (const { histogram } of times) expect(histogram.counts.reduce((a, b) => a + b, 0)).toBe(6);
      expect(times.at(-1)!.cosine.mean).toBeGreaterThan(0.999);
    }
    expect(paths.map((path) => basename(path))).toEqual([
      'closed-form.json',
      'alignment.csv',
      'alignment.svg',
      'alignment-close.svg',
      'alignment-portraits-4-px.svg',
      'alignment-portraits-8-px.svg',
      'collapse-time.csv',
      'collapse-time.svg',
    ]);
    for (const path of paths) expect(existsSync(path)).toBe(true);
    expect(JSON.parse(readFileSync(paths[0]!, 'utf8')).alignment).toEqual(alignment);
    expect(readFileSync(paths[1]!, 'utf8').trimEnd().split('\n')).toHaveLength(1 + 2 * 10);
    const again = outcomeOf(await analyze('portraits', ...flags));
    expect(again.alignment!.map(({ times }) => times)).toEqual(alignment!.map(({ times }) => times));
  });

  it('takes points of a density as they are, and shows a table', async () => {
    const result = await analyze('two-moons', '--count', '300', '--out', join(folder, 'moons'), ...small);
    expect(
      result.lines
        .find((line) => line.includes('two-moons '))!
        .trim()
        .split(/\s+/)
        .slice(0, 3),
    ).toEqual(['two-moons', '2', '300']);
    expect(outcomeOf(result).alignment).toHaveLength(1);
  });

  it('puts a network beside the exact field of its training data: error, hybrid flows, memorisation', async () => {
    const flags = ['--error-times', '4', '--samples', '5', '--switches', '0,0.5,1', ...small];
    const result = await analyze('--run', points, ...flags);
    expect(result.status).toBe(0);
    const outcome = outcomeOf(result);
    expect(outcome.run).toMatchObject({ imagesSeen: 640, parameters: 'ema', labelled: true, data: 500, elements: 2 });
    expect(outcome.alignment![0]!.count).toBe(500);
    const { training, heldOut } = outcome.error!;
    for (const side of [training, heldOut!]) {
      expect(side.map(({ time }) => time)).toEqual([0, 0.25, 0.5, 0.75]);
      for (const { error } of side) expect(error.count).toBe(6);
      for (const { error } of side) expect(error.mean).toBeGreaterThan(0);
    }
    const { switches, samples } = outcome.hybrid!;
    expect(samples).toBe(5);
    expect(switches.map(({ tau, shown }) => [tau, shown.length])).toEqual([
      [0, 4],
      [0.5, 4],
      [1, 4],
    ]);
    expect(switches[2]!.distance.mean).toBeLessThan(1e-3);
    expect(switches[2]!.memorised.mean).toBe(1);
    // The samples of the switch at 0 are the network's own.
    const { samples: own, heldOut: others } = outcome.memorisation!;
    expect(own.distance.mean).toBeCloseTo(switches[0]!.distance.mean, 12);
    expect(own.memorised.mean).toBe(switches[0]!.memorised.mean);
    expect(others!.distance.count).toBe(5);
    expect(outcome.within!.distance.count).toBe(500);
    expect(outcome.paths.map((path) => path.slice(join(points, 'analysis').length + 1))).toEqual([
      'closed-form.json',
      'alignment.csv',
      'alignment.svg',
      'alignment-close.svg',
      'alignment-two-moons.svg',
      'collapse-time.csv',
      'collapse-time.svg',
      'field-error.csv',
      'field-error.svg',
      'hybrid.csv',
      'hybrid.svg',
      'memorisation.csv',
    ]);
    for (const path of outcome.paths) expect(existsSync(path)).toBe(true);
    const names = ['samples of the network', 'held-out data', 'training data, to each other'];
    for (const name of names) expect(result.lines.some((line) => line.trim().startsWith(name))).toBe(true);
  });

  it('draws hybrid samples of images, a noise a row and a time a column', async () => {
    const flags = ['--parts', 'hybrid', '--samples', '4', '--switches', '0,0.4,0.8', '--out', join(folder, 'grid')];
    const result = await analyze('portraits', '--run', pictures, ...flags, '--json');
    expect(result.errors).not.toContain('Expected');
    const { paths, alignment } = outcomeOf(result);
    expect(alignment).toBeNull();
    expect(paths.map((path) => basename(path))).toEqual(['closed-form.json', 'hybrid.csv', 'hybrid.svg', 'hybrid.png']);
    const { width, height } = await sharp(paths.at(-1)).metadata();
    expect([width, height]).toEqual([3 * 66 + 2, 4 * 66 + 2]);
  });

  it('prints its settings', async () => {
    const { lines } = await analyze('fashion', '--size', '14', '--dry-run', '--json');
    expect(JSON.parse(lines[0]!)).toEqual({
      data: 'fashion',
      run: null,
      parts: ['alignment'],
      size: 14,
      sizes: null,
      count: null,
      pairs: 256,
      times: 100,
      errorTimes: 20,
      samples: 64,
      switches: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
      threshold: 1 / 3,
      ema: true,
      seed: 0,
      outDirectory: 'analysis',
    });
    const ofRun = await analyze('--run', points, '--parts', 'hybrid,error', '--dry-run', '--json');
    expect(JSON.parse(ofRun.lines[0]!)).toMatchObject({
      parts: ['error', 'hybrid'],
      outDirectory: join(points, 'analysis'),
    });
  });

  it.each([
    [[], 'Expected data, or a run; got neither.'],
    [
      ['fashion', '--parts', 'hybrid'],
      'Expected a run, to compare its network with the exact field; got hybrid without one.',
    ],
    [['fashion', '--parts', 'all'], 'Expected some of alignment,error,hybrid,memorisation; got "all".'],
    [['fashion', '--run', points], 'Expected the data of the run, two-moons; got fashion.'],
    [['--run', points, '--size', '8'], "Expected the run's own data; got --size."],
    [['--run', join(folder, 'nowhere')], 'to be the folder of a run'],
    [['two-moons', '--size', '8'], 'Expected images, to change their size; got the density two-moons.'],
    [['two-moons', '--sizes', '8'], 'Expected images, to change their size; got vectors of 2 numbers.'],
    [['portraits', '--sizes', '128'], 'Expected a size of 1 to 64 pixels'],
    [['portraits', '--sizes', '8,4'], 'Expected increasing sizes in pixels'],
    [['portraits', '--switches', '0,1.1'], 'Expected increasing times in [0, 1]'],
    [['no-such-data'], 'no-such-data'],
  ])('answers the mistake %j with status 2 and a sentence', async (args, message) => {
    const { status, errors } = await analyze(...args, '--pairs', '2', '--times', '1', '--out', join(folder, 'never'));
    expect(errors).toContain(message);
    expect(status).toBe(2);
  });

  it('ends when it is interrupted', async () => {
    const stopping = {
      ...runner,
      analyzeClosedForm: (request: Parameters<typeof runner.analyzeClosedForm>[0]) =>
        runner.analyzeClosedForm({ ...request, onEvent: () => process.emit('SIGINT', 'SIGINT') }),
    };
    const flags = ['two-moons', '--count', '50', '--out', join(folder, 'stopped')];
    const { status } = await runCommand(['analyze', 'closed-form', ...flags], { runner: stopping });
    expect(status).toBe(130);
    expect(existsSync(join(folder, 'stopped'))).toBe(false);
  });
});
