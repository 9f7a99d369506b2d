import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CurvatureOutcome } from '../../src/experiments/curvature-request.ts';
import { readConfig } from '../../src/experiments/read-config.ts';
import { runner } from '../../src/experiments/run.ts';
import { smallConfig, trained } from '../experiments/small-runs.ts';
import { runCommand } from './run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-curvature-'));
const [first, second] = [join(folder, 'first'), join(folder, 'second')];
beforeAll(async () => {
  await trained(first, smallConfig());
  await trained(second, smallConfig('points', { seed: 1 }));
});
afterAll(() => rmSync(folder, { recursive: true }));

const quick = ['--samples', '20', '--intervals', '5', '--reference', '10', '--evaluations', '2,4'];

function analyze(...args: readonly string[]) {
  return runCommand(['analyze', 'curvature', ...args], { runner });
}

describe('analyze curvature', () => {
  it('prints a table with means and standard errors, the conventions, and one JSON line', async () => {
    const { status, lines, errors } = await analyze(first, ...quick, '--json');
    expect(status).toBe(0);
    const text = lines.join('\n');
    expect(text).toContain('20 trajectories a run, seeds 0 to 19, in 0:0');
    expect(text).toContain(
      'first: 640 images seen, averaged parameters, independent coupling, 2 elements, labels 0 1 in turn, guidance 1, midpoint with 5 steps (dt 0.2), 16 evaluations each',
    );
    for (const row of [
      'curvature (mean of intervals)',
      'curvature (sum of intervals)',
      'turning of the velocity (rad)',
      'straightness (latent units)',
      'relative straightness',
      'solver error (root mean square), 2 evaluations',
      'solver error (Euclidean norm), 4 evaluations',
    ]) {
      expect(lines.find((line) => line.startsWith(row))).toMatch(/ \d[\d.]* ± \d[\d.]*$/);
    }
    expect(text).toContain('curvature: 1 - cos of the angle between the velocities at consecutive times');
    expect(text).toMatch(
      /reference of first: dopri5, tolerance 0.00001, the first 10 seeds, converged with \d+ evaluations/,
    );
    expect(errors).toContain('first: solver errors, 0 of 10 samples  ? left');
    const { runs, paths } = JSON.parse(lines.at(-1)!) as CurvatureOutcome;
    expect(runs).toHaveLength(1);
    expect(paths).toEqual(
      ['curvature.json', 'curvature.csv', 'curvature.svg', 'solver-error.svg'].map((name) =>
        join(first, 'analysis', name),
      ),
    );
    for (const path of paths) expect(existsSync(path)).toBe(true);
  });

  it('compares runs seed by seed', async () => {
    const out = join(folder, 'both');
    const { status, lines } = await analyze(first, second, ...quick, '--out', out);
    expect(status).toBe(0);
    expect(lines.find((line) => line.startsWith('mean ± standard error'))).toMatch(/first +second +minus first$/);
    expect(readFileSync(join(out, 'curvature.svg'), 'utf8')).toContain('>second<');
    const { runs } = JSON.parse(readFileSync(join(out, 'curvature.json'), 'utf8')) as CurvatureOutcome;
    const [a, b] = runs.map(({ measures }) => measures.straightness);
    expect(runs[0]!.difference).toBeNull();
    expect(runs[1]!.difference!.straightness.mean).toBeCloseTo(b!.mean - a!.mean, 12);
  });

  it('finds the run of a checkpoint', async () => {
    const checkpoint = join(first, 'checkpoints', '000000000512');
    const { lines } = await analyze(checkpoint, first, ...quick);
    expect(lines.join('\n')).toContain('first at 000000000512: 512 images seen');
    expect(lines.at(-1)).toBe(join(first, 'analysis', 'solver-error.svg'));
  });

  it('takes solver, label, guidance, seeds and other settings', async () => {
    const flags = ['--solver', 'heun', '--label', '1', '--guidance', '2', '--seed', '7', '--no-ema'];
    const change = ['--set', 'sampling.solver.grid.kind=cosine', '--set', 'runtime.threads=2'];
    const given = [first, ...quick, '--evaluations', '4,8', ...flags, ...change];
    const { status, lines } = await analyze(...given, '--dry-run', '--json');
    expect(status).toBe(0);
    const grid = { kind: 'cosine' };
    expect(JSON.parse(lines.join(''))).toEqual({
      runs: [
        {
          directory: first,
          labels: new Array(20).fill(1),
          sampling: { ...smallConfig().sampling, solver: { kind: 'heun', steps: 5, grid }, guidance: 2 },
          // With guidance a step of heun takes the model four times.
          solverErrors: [
            { evaluations: 4, solver: { kind: 'heun', steps: 1, grid } },
            { evaluations: 8, solver: { kind: 'heun', steps: 2, grid } },
          ],
          runtime: { ...smallConfig().runtime, threads: 2 },
        },
      ],
      firstSeed: 7,
      samples: 20,
      referenceSamples: 10,
      ema: false,
      outDirectory: join(first, 'analysis'),
    });
    const done = await analyze(...given);
    expect(done.lines.join('\n')).toContain(
      'parameters of the last step, independent coupling, 2 elements, labels 1 in turn, guidance 2, heun with 5 steps (dt 0.09549 to 0.309), 32 evaluations each',
    );
  });

  it('has the defaults of its help', async () => {
    const { lines } = await analyze(first, '--dry-run', '--json');
    const { runs, ...rest } = JSON.parse(lines.join(''));
    expect(rest).toMatchObject({ firstSeed: 0, samples: 1000, referenceSamples: 100, ema: true });
    expect(runs[0].sampling).toMatchObject({ solver: { kind: 'midpoint', steps: 20 }, guidance: null });
    expect(runs[0].solverErrors.map(({ evaluations }: { evaluations: number }) => evaluations)).toEqual([2, 4, 8, 12]);
    expect(runs[0].labels).toBeNull();
  });

  it.each<[readonly string[], string]>([
    [['--solver', 'dopri5'], 'Expected a solver with fixed steps, whose evaluations can be given; got dopri5.'],
    [['--solver', 'middle'], 'has a fault'],
    [['--evaluations', '2,3'], 'Expected evaluations to be a multiple of 2, those of a step of midpoint; got 3.'],
    [['--evaluations', '4,2'], 'Expected increasing integers such as 2,4,8,12.'],
    [['--evaluations', 'few'], 'Expected increasing integers such as 2,4,8,12.'],
    [['--samples', '1'], 'Expected an integer of at least 2.'],
    [['--label', '2'], 'Expected a label to be one of 0'],
    [['--seed', '4294967295'], 'Expected seeds below 2^32; got'],
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
    expect(errors).not.toContain('samples  ');
    expect(status).toBe(1);
  });
});
