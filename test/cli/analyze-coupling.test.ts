import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CouplingOutcome } from '../../src/experiments/coupling-request.ts';
import { runner } from '../../src/experiments/run.ts';
import { safetensor } from '../../src/formats/safetensors.ts';
import { openSafetensorsFile, writeSafetensorsFile } from '../../src/formats/safetensors-file.ts';
import { smallConfig, trained } from '../experiments/small-runs.ts';
import { runCommand } from './run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-coupling-'));
const [loom, plain] = [join(folder, 'loom'), join(folder, 'plain')];
beforeAll(async () => {
  await trained(loom, smallConfig('points', { coupling: { kind: 'loom' } }));
  await trained(plain, smallConfig());
});
afterAll(() => rmSync(folder, { recursive: true }));

const analyze = (...args: readonly string[]) => runCommand(['analyze', 'coupling', ...args], { runner });

describe('analyze coupling', () => {
  it('shows costs, reassignments, the gap to the optimum, and that no seed was lost', async () => {
    const { status, lines } = await analyze(loom, plain, '--batches', '8', '--json');
    expect(status).toBe(0);
    const row = (name: string) =>
      lines
        .find((line) => line.trim().startsWith(name))!
        .trim()
        .slice(name.length)
        .trim()
        .split(/\s{2,}/);
    expect(row('coupling')).toEqual(['loom', 'independent']);
    expect(row('noises kept, all as drawn')).toEqual(['500', '-']);
    const { runs, paths } = JSON.parse(lines.at(-1)!) as CouplingOutcome;
    const [kept, fresh] = runs;
    expect(kept.whole!.pairs).toBe(500);
    expect(kept.whole!.standardError).toBe(0);
    expect(kept.optimum!.gap).toBeCloseTo(kept.whole!.cost - kept.optimum!.cost, 12);
    expect(kept.optimum!.gap).toBeGreaterThanOrEqual(0);
    expect(fresh.batches.reassigned).toBeNull();
    expect(fresh.optimum!.gap).toBeGreaterThan(5 * kept.optimum!.gap);
    expect(kept.history).toHaveLength(640 / 32);
    expect(kept.history.at(-1)!.reassigned).toBeLessThan(kept.history[0].reassigned);
    expect(fresh.history).toEqual([]);
    expect(paths.map((path) => path.slice(join(loom, 'analysis').length + 1))).toEqual([
      'coupling.json',
      'coupling.csv',
      'reassignments.svg',
      'transport-cost.svg',
    ]);
    for (const path of paths) expect(existsSync(path)).toBe(true);
    expect(readFileSync(paths[1], 'utf8').trimEnd().split('\n')).toHaveLength(21);
  });

  it('leaves the optimum out on request, and the run as it was', async () => {
    const out = join(folder, 'out');
    const { lines } = await analyze(loom, '--batches', '2', '--no-optimum', '--out', out, '--json');
    const { runs } = JSON.parse(lines.at(-1)!) as CouplingOutcome;
    expect(runs[0].optimum).toBeNull();
    const again = await analyze(loom, '--batches', '2', '--no-optimum', '--out', out, '--json');
    const second = JSON.parse(again.lines.at(-1)!) as CouplingOutcome;
    expect(second.runs).toEqual(runs);
  });

  it('prints its settings', async () => {
    const { lines } = await analyze(loom, '--dry-run', '--json');
    expect(JSON.parse(lines[0])).toEqual({
      runs: [loom],
      batches: 64,
      optimum: true,
      outDirectory: join(loom, 'analysis'),
    });
  });

  it('tells a folder without a run from one that is not trained', async () => {
    const { status, errors } = await analyze(join(folder, 'nowhere'));
    expect(status).toBe(2);
    expect(errors).toContain('to be the folder of a run');
  });
});

it('a state whose noise seeds are not those that were drawn is refused', async () => {
  const file = join(loom, 'checkpoints', '000000000640', 'state.safetensors');
  const opened = await openSafetensorsFile(file);
  const tensors = new Map();
  for (const name of opened.entries.keys()) {
    const { shape, data } = await opened.read(name);
    if (name === 'coupling.seeds') (data as Uint32Array)[0] = (data as Uint32Array)[1];
    tensors.set(name, safetensor(data as Float32Array, shape));
  }
  await opened.close();
  const { sha256 } = await writeSafetensorsFile(file, tensors);
  const facts = join(loom, 'checkpoints', '000000000640', 'checkpoint.json');
  const { writeFileSync } = await import('node:fs');
  writeFileSync(facts, JSON.stringify({ ...JSON.parse(readFileSync(facts, 'utf8')), sha256 }));
  const { status, errors } = await analyze(loom, '--no-optimum');
  expect(status).toBe(1);
  expect(errors).toContain('Expected the noise seeds that were drawn; got others. In coupling/seed-cache.');
});
