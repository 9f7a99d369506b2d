import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/experiments/read-config.ts';
import { fakeRunner, finished, runCommand } from './run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-sample-'));
writeFileSync(join(folder, 'config.json'), JSON.stringify(readConfig('fashion-unet')));
afterAll(() => rmSync(folder, { recursive: true }));

async function sample(...flags: string[]) {
  const { runner, sampled } = fakeRunner((request) => ({ ...finished, directory: request.directory }));
  const result = await runCommand(['sample', folder, ...flags], { runner });
  return { ...result, request: sampled[0] };
}

describe('sample', () => {
  it('makes a grid of 64 samples by the settings of the run unless told otherwise', async () => {
    const { status, request, lines } = await sample('--json');
    expect(status).toBe(0);
    expect(request).toMatchObject({ model: folder, labels: null, ema: true, columns: 8, trajectoryPath: null });
    expect(request!.seeds).toEqual(Array.from({ length: 64 }, (_, i) => i));
    expect(request!.sampling).toEqual(readConfig('fashion-unet').sampling);
    expect(request!.gridPath).toBe(join(folder, 'samples', 'seeds-0-63.png'));
    expect(lines).toContain('64 samples, 40 evaluations each, in 0:02');
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ samples: 64, evaluations: 40, converged: true });
  });

  it('finds the run of a checkpoint', async () => {
    const { runner, sampled } = fakeRunner(() => Promise.reject(new Error('no training')));
    const checkpoint = join(folder, 'checkpoints', '000100');
    expect((await runCommand(['sample', checkpoint], { runner })).status).toBe(0);
    expect(sampled[0]).toMatchObject({ model: checkpoint, gridPath: join(folder, 'samples', 'seeds-0-63.png') });
  });

  it('takes seeds as a range or as a count from a first one', async () => {
    expect((await sample('--seeds', '7-9')).request!.seeds).toEqual([7, 8, 9]);
    expect((await sample('--seeds', '7')).request!.seeds).toEqual([7]);
    expect((await sample('--count', '2', '--seed', '5')).request!.seeds).toEqual([5, 6]);
    for (const wrong of ['9-7', 'a', '-1', '1-']) expect((await sample('--seeds', wrong)).status).toBe(2);
    expect((await sample('--seeds', '4294967295-4294967296')).status).toBe(2);
  });

  it('takes labels by number or name, in turns', async () => {
    const { request } = await sample('--count', '5', '--label', 'bag', '--label', '0');
    expect(request!.labels).toEqual([8, 0, 8, 0, 8]);
    const { status, errors } = await sample('--label', 'trousers');
    expect(status).toBe(2);
    expect(errors).toContain('Try "trouser".');
  });

  it('replaces the solver with its own defaults, and counts evaluations with guidance', async () => {
    const { request } = await sample('--solver', 'heun', '--evaluations', '40');
    expect(request!.sampling!.solver).toEqual({ kind: 'heun', steps: 10, grid: { kind: 'uniform' } });
    const plain = await sample('--solver', 'heun', '--evaluations', '40', '--guidance', '1');
    expect(plain.request!.sampling!.solver).toMatchObject({ steps: 20 });
    const adaptive = await sample('--solver', 'dopri5', '--tolerance', '1e-4');
    expect(adaptive.request!.sampling!.solver).toMatchObject({ relativeTolerance: 1e-4, absoluteTolerance: 1e-4 });
  });

  it.each([
    [
      ['--evaluations', '41'],
      'Expected evaluations to be a multiple of 4, those of a step of midpoint with guidance; got 41.',
    ],
    [['--solver', 'dopri5', '--evaluations', '40'], 'Expected a solver with fixed steps'],
    [['--solver', 'hein'], 'Did you mean heun?'],
    [['--steps', '3', '--evaluations', '4'], 'Expected either --steps or --evaluations; got both.'],
    [['--solver', 'euler', '--tolerance', '1e-3'], 'got `sampling.solver.relativeTolerance`'],
  ])('refuses %j', async (flags, message) => {
    const { status, errors } = await sample(...flags);
    expect(errors).toContain(message);
    expect(status).toBe(2);
  });

  it('writes only what is asked for', async () => {
    const { request } = await sample('--arrays', 'a.npz', '--no-ema');
    expect(request).toMatchObject({ gridPath: null, arraysPath: 'a.npz', imagesPath: null, ema: false });
  });

  it('prints the request without doing it', async () => {
    const { status, lines, request } = await sample('--dry-run', '--json', '--count', '1');
    expect(status).toBe(0);
    expect(request).toBeUndefined();
    expect(JSON.parse(lines.join(''))).toMatchObject({ seeds: [0], sampling: { guidance: 1.5 } });
  });
});
