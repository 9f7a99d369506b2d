import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/experiments/read-config.ts';
import { createRunDirectory, nextRunDirectory, readRunConfig } from '../../src/experiments/run-directory.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-runs-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the folders of runs', () => {
  it('are numbered in the order of their making, whatever their names', () => {
    const parent = join(folder, 'runs');
    expect(nextRunDirectory('a', parent)).toBe(join(parent, '1-a'));
    expect(createRunDirectory('a', parent)).toBe(join(parent, '1-a'));
    expect(createRunDirectory('b', parent)).toBe(join(parent, '2-b'));
    rmSync(join(parent, '1-a'), { recursive: true });
    expect(createRunDirectory('a', parent)).toBe(join(parent, '3-a'));
    expect(readdirSync(parent).sort()).toEqual(['2-b', '3-a']);
  });

  it('give their config back', () => {
    const run = createRunDirectory('c', folder);
    const config = readConfig('two-moons-mlp');
    writeFileSync(join(run, 'config.json'), JSON.stringify(config));
    expect(readRunConfig(run)).toEqual(config);
  });

  it('without a config are refused as no runs, with a damaged one as damaged', () => {
    expect(() => readRunConfig(folder)).toThrow(/to be the folder of a run, with a config.json; got none/);
    const run = createRunDirectory('d', folder);
    writeFileSync(join(run, 'config.json'), '{');
    expect(() => readRunConfig(run)).toThrow(/to hold JSON/);
  });
});
