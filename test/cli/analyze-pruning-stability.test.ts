import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { PruningOutcome } from '../../src/experiments/pruning-request.ts';
import { runner } from '../../src/experiments/run.ts';
import { writeNpz } from '../../src/formats/npz.ts';
import { runCommand } from './run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-pruning-'));
afterAll(() => rmSync(folder, { recursive: true }));
const analyze = (...args: readonly string[]) => runCommand(['analyze', 'pruning-stability', ...args], { runner });
const small = ['--noises', '30', '--steps', '10'];

describe('analyze pruning-stability', () => {
  it('measures mixtures of several dimensions, and writes tables and charts', async () => {
    const out = join(folder, 'mixtures');
    const flags = ['--dimension', '2,16', '--count', '60', '--fractions', '0,0.5', ...small, '--out', out, '--json'];
    const { status, lines } = await analyze('mixture', ...flags);
    expect(status).toBe(0);
    const { runs, paths } = JSON.parse(lines.at(-1)!) as PruningOutcome;
    expect(runs.map(({ elements, count }) => [elements, count])).toEqual([
      [2, 60],
      [16, 60],
    ]);
    for (const { subsets, baseline } of runs) {
      expect(subsets[0]).toMatchObject({ removed: 0, kept: 60, unchanged: { share: 1, trials: 30 } });
      expect(subsets[0]!.deviation.p95).toBe(0);
      expect(subsets[1]).toMatchObject({ removed: 0.5, kept: 30 });
      expect(subsets[1]!.deviation.median).toBeGreaterThan(0);
      expect(baseline.mean).toBeGreaterThan(subsets[1]!.deviation.median);
    }
    expect(lines).toContain(
      'mixture, dimension 16: 60 data of 16 numbers, 30 noises, euler with 10 steps, seed 0; 0 s',
    );
    const row = lines.find((line) => /^ +0\.00 /.test(line))!;
    expect(row.trim().split(/\s{2,}/)).toEqual(['0.00', '100.0 % [88.6, 100.0]', '30', '0', '0', '0.0 %', '0']);
    expect(paths.map((path) => path.slice(out.length + 1))).toEqual([
      'pruning-stability.json',
      'pruning-stability.csv',
      'unchanged.svg',
      'deviation.svg',
    ]);
    for (const path of paths) expect(existsSync(path)).toBe(true);
    expect(JSON.parse(readFileSync(paths[0]!, 'utf8')).runs).toEqual(runs);
    expect(readFileSync(paths[1]!, 'utf8').trimEnd().split('\n')).toHaveLength(5);
    expect(readFileSync(paths[2]!, 'utf8')).toContain('log2 of the dimension');
  });

  it('answers the same again, and something else for another seed', async () => {
    const flags = ['--count', '60', '--dimension', '3', ...small, '--out', join(folder, 'again'), '--json'];
    const subsets = async (...more: readonly string[]) => {
      const { lines } = await analyze('mixture', ...flags, ...more);
      return (JSON.parse(lines.at(-1)!) as PruningOutcome).runs[0]!.subsets;
    };
    const first = await subsets();
    expect(await subsets()).toEqual(first);
    expect(await subsets('--seed', '1')).not.toEqual(first);
  });

  it('takes data that remain from files, on images', async () => {
    const [all, half] = [join(folder, 'all.json'), join(folder, 'half.json')];
    const rows = Array.from({ length: 40 }, (_, row) => row);
    writeFileSync(all, JSON.stringify({ kept: rows }));
    writeFileSync(half, JSON.stringify(rows.filter((row) => row % 2 === 0)));
    const flags = ['--count', '40', '--kept', all, '--kept', half, ...small, '--solver', 'midpoint'];
    const { lines } = await analyze('fashion', ...flags, '--out', join(folder, 'kept'), '--json');
    const { runs } = JSON.parse(lines.at(-1)!) as PruningOutcome;
    expect(runs[0]).toMatchObject({ name: 'fashion', count: 40, elements: 784, solver: 'midpoint' });
    expect(runs[0]!.subsets.map(({ name, kept }) => [name, kept])).toEqual([
      [all, 40],
      [half, 20],
    ]);
    expect(runs[0]!.subsets[0]!.deviationOfAll.p95).toBe(0);
    expect(runs[0]!.subsets[1]!.unchanged.trials).toBeLessThan(30);
  });

  it.each([
    ['two-moons', ['--count', '50']],
    [join(folder, 'vectors.npz'), []],
  ] as const)('takes the vectors of %s', async (source, flags) => {
    const data = Float32Array.from({ length: 100 }, (_, i) => Math.sin(i));
    writeFileSync(join(folder, 'vectors.npz'), writeNpz(new Map([['x', { dtype: 'float32', shape: [50, 2], data }]])));
    const { lines } = await analyze(source, ...flags, ...small, '--out', join(folder, 'vectors'), '--json');
    const { runs } = JSON.parse(lines.at(-1)!) as PruningOutcome;
    expect(runs[0]).toMatchObject({ count: 50, elements: 2 });
  });

  it('prints its complete settings', async () => {
    const { lines } = await analyze('mixture', '--dimension', '2,8', '--dry-run', '--json');
    const settings = JSON.parse(lines[0]!);
    expect(settings.outDirectory).toBe(join('analysis', 'pruning-stability'));
    expect(settings.cases).toHaveLength(2);
    expect(settings.cases[1]).toEqual({
      name: 'mixture, dimension 8',
      data: { kind: 'mixture', dimension: 8, components: 10, spread: 0.4, width: 0.93, count: 4000 },
      fractions: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
      kept: [],
      noises: 1000,
      solver: 'euler',
      steps: 100,
      seed: 0,
    });
  });

  it.each([
    [['fashion', '--dimension', '2'], 'Expected --dimension for the data `mixture` only; got it for fashion.'],
    [['mixture', '--kept', 'a.json', '--fractions', '0.5'], 'cannot be used with option'],
    [['mixture', '--fractions', '0.5,1'], 'Expected different numbers below 1 such as 0.1,0.5,0.9.'],
    [['mixture', '--dimension', '2,2'], 'Expected different integers such as 2,8,32.'],
    [['mixture', '--solver', 'dopri5'], 'Allowed choices are euler'],
    [['mixture', '--noises', '3'], 'Expected an integer of at least 4.'],
    [['mixture', '--steps', '1'], 'Expected an integer of at least 2.'],
    [['mixture', '--dimension', '2', '--width=-1'], 'Expected `width` to be a number of at least 0; got -1.'],
    [['nowhere'], 'nowhere'],
    [['mixture', '--dimension', '2', '--kept', 'nowhere.json'], 'nowhere.json'],
    [[], "missing required argument 'data'"],
  ] as const)('answers the mistake %j with status 2 and a sentence', async (args, message) => {
    const { status, errors } = await analyze(...args, '--out', join(folder, 'mistakes'));
    expect(errors).toContain(message);
    expect(status).toBe(2);
    expect(existsSync(join(folder, 'mistakes'))).toBe(false);
  });

  it('ends at an interrupt without files', async () => {
    const out = join(folder, 'interrupted');
    const going = analyze('mixture', '--dimension', '64', '--count', '2000', '--noises', '200', '--out', out);
    setTimeout(() => process.emit('SIGINT', 'SIGINT'), 200);
    const { status, errors } = await going;
    expect(status).toBe(130);
    expect(errors).toContain('Interrupted.');
    expect(existsSync(out)).toBe(false);
  });
});
