import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BoundsOutcome } from '../../src/experiments/bounds-request.ts';
import { readConfig } from '../../src/experiments/read-config.ts';
import { runner } from '../../src/experiments/run.ts';
import { smallConfig, trained } from '../experiments/small-runs.ts';
import { runCommand } from './run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-bounds-'));
const [first, second] = [join(folder, 'first'), join(folder, 'second')];
beforeAll(async () => {
  await trained(first, smallConfig());
  await trained(second, smallConfig('points', { seed: 1 }));
});
afterAll(() => rmSync(folder, { recursive: true }));

const quick = ['--times', '3', '--samples', '12', '--jacobians', '4', '--matched', '8'];
const analyze = (...args: readonly string[]) => runCommand(['analyze', 'bounds', ...args], { runner });

describe('analyze bounds', () => {
  it('prints the terms of each bound, the pairs, and one JSON line', async () => {
    const { status, lines, errors } = await analyze(first, second, ...quick, '--json');
    expect(status).toBe(0);
    const text = lines.join('\n');
    expect(text).toContain(`Exact field of 500 data with 2 elements, those of ${first}; seed 0, in 0:0`);
    expect(text).toContain(
      '3 times; at each 12 points made of held-out data for the velocities, 4 of them for the norms',
    );
    const row = (name: string) =>
      lines
        .find((line) => line.trim().startsWith(name))!
        .trim()
        .slice(name.length)
        .trim()
        .split(/\s{2,}/);
    expect(row('Lipschitz constants of')).toEqual(['first', 'second']);
    for (const name of [
      'exp(int L dt), medians',
      'exp(int L dt), maxima',
      'bound of W2, medians',
      'bound of W2, maxima',
    ])
      for (const value of row(name)) expect(Number(value)).toBeGreaterThan(0);
    expect(row('bound of W2 between')).toEqual(['first', 'second']);
    expect(row('matched samples')).toEqual(['first', 'second']);
    expect(text).toMatch(/first: 12 of 12 norms converged to a residual of 0.02, with \d+\.\d products each/);
    expect(text).toContain('supremum over all x. The paper takes the median over points');
    expect(errors).toContain('first: velocity errors, 1 of 3 batches');
    const { runs, paths } = JSON.parse(lines.at(-1)!) as BoundsOutcome;
    expect(runs).toHaveLength(2);
    expect(paths).toEqual(
      ['bounds.json', 'bounds.csv', 'lipschitz.svg', 'velocity-error.svg'].map((name) => join(first, 'analysis', name)),
    );
    for (const path of paths) expect(existsSync(path)).toBe(true);
  });

  it('shows one run without pairs, and points of training data', async () => {
    const { lines } = await analyze(first, ...quick, '--points', 'training');
    const text = lines.join('\n');
    expect(text).not.toContain('bound of W2 between');
    expect(text).toContain('Its points are made of training data, as the theorem has it.');
    expect(lines.at(-1)).toBe(join(first, 'analysis', 'velocity-error.svg'));
  });

  it('has the defaults of its help', async () => {
    const { lines } = await analyze(first, second, '--dry-run', '--json');
    const { sampling, runtime } = smallConfig();
    expect(JSON.parse(lines.join(''))).toEqual({
      runs: [first, second].map((directory) => ({ directory, sampling, runtime })),
      reference: first,
      lipschitzFrom: null,
      points: 'held-out',
      times: 10,
      samples: 256,
      jacobians: 64,
      tolerance: 0.02,
      maxIterations: 200,
      matched: 64,
      seed: 0,
      ema: true,
      outDirectory: join(first, 'analysis'),
    });
  });

  it('takes another reference, lender, seed and other settings', async () => {
    const flags = ['--reference', second, '--lipschitz-from', second, '--seed', '7', '--no-ema', '--tolerance', '0.1'];
    const change = ['--iterations', '9', '--set', 'runtime.threads=2', '--out', join(folder, 'out')];
    const { lines } = await analyze(first, ...quick, ...flags, ...change, '--dry-run', '--json');
    const { sampling, runtime } = smallConfig();
    expect(JSON.parse(lines.join(''))).toEqual({
      runs: [{ directory: first, sampling, runtime: { ...runtime, threads: 2 } }],
      reference: second,
      lipschitzFrom: { directory: second, sampling, runtime: { ...runtime, threads: 2 } },
      points: 'held-out',
      times: 3,
      samples: 12,
      jacobians: 4,
      tolerance: 0.1,
      maxIterations: 9,
      // One run is compared with none.
      matched: 0,
      seed: 7,
      ema: false,
      outDirectory: join(folder, 'out'),
    });
    const done = await analyze(first, second, ...quick, ...flags, ...change);
    expect(done.status).toBe(0);
    expect(done.lines.join('\n')).toContain(`those of ${second}; seed 7`);
  });

  it.each<[readonly string[], string]>([
    [['--points', 'all'], 'Allowed choices are held-out, training.'],
    [['--times', '0'], 'Expected an integer of at least 1.'],
    [['--tolerance', '1'], 'Expected a number between 0 and 1.'],
    [['--tolerance', 'small'], 'Expected a number between 0 and 1.'],
    [['--samples', '1'], 'Expected an integer of at least 2.'],
    [['--reference', 'nowhere'], 'to be the folder of a run'],
    [['--lipschitz-from', 'nowhere'], 'to be the folder of a run'],
  ])('refuses %j', async (flags, message) => {
    const { status, errors } = await analyze(first, ...flags);
    expect(errors).toContain(message);
    expect(status).toBe(2);
  });

  it('refuses a run without a checkpoint', async () => {
    const empty = mkdtempSync(join(folder, 'empty-'));
    writeFileSync(join(empty, 'config.json'), JSON.stringify(readConfig('two-moons-mlp')));
    const { status, errors } = await analyze(first, empty, ...quick);
    expect(errors).toContain(`Expected \`${empty}\` to hold a checkpoint; got none.`);
    expect(status).toBe(1);
  });
});
