import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ownGoldenFile, replayers, replaySection } from '../../src/experiments/doctor/golden/replay.ts';
import { runCommand } from './run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-doctor-'));
afterAll(() => rmSync(folder, { recursive: true }));

function goldenFile(name: string, sections: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(sections));
  return path;
}

const own: Record<string, unknown> = JSON.parse(readFileSync(ownGoldenFile, 'utf8'));

/** The same value with its numbers changed by a little. */
function disturbed(value: unknown): unknown {
  if (typeof value === 'number') return value * (1 + 1e-6) + 1e-6;
  if (Array.isArray(value)) return value.map(disturbed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, disturbed(child)]));
}

describe('doctor --golden', () => {
  it('replays the sections that it knows and skips the others by name', async () => {
    const { status, lines } = await runCommand(['doctor', '--golden', '--json']);
    expect(status).toBe(0);
    const results = JSON.parse(lines.at(-1)!);
    expect(Object.keys(results)).toEqual(Object.keys(own));
    for (const [name, result] of Object.entries<Record<string, number | null>>(results)) {
      expect(Object.keys(result)).toEqual(['passed', 'failed', 'skipped', 'worst']);
      expect(result.failed, name).toBe(0);
      if (name in replayers) expect(result, name).toMatchObject({ passed: expect.any(Number), skipped: 0 });
      else expect(result, name).toMatchObject({ passed: 0, worst: null });
      expect((result.passed ?? 0) + (result.skipped ?? 0), name).toBeGreaterThan(0);
    }
  });

  it.each(Object.keys(replayers))('finds a section %s with wrong numbers', async (name) => {
    const { failed, worst } = await replaySection(name, disturbed(own[name]));
    expect(failed).toBeGreaterThan(0);
    expect(worst === null || worst > 0).toBe(true);
  });

  it.each(Object.keys(replayers))('fails a section %s of another form instead of passing it', async (name) => {
    for (const section of [null, [], 3, 'x', {}]) {
      expect(await replaySection(name, section)).toMatchObject({ passed: 0, failed: 1, skipped: 0 });
    }
  });

  it('says what failed, and ends with status 1', async () => {
    const file = goldenFile('wrong.json', { mulberry32_seed1_first5: [0.5], something_new: [1, 2] });
    const { status, lines } = await runCommand(['doctor', '--golden', file, '--json']);
    expect(status).toBe(1);
    expect(lines.join('\n')).toContain('number 0: expected 0.5, got 0.6270739405881613');
    const results = JSON.parse(lines.at(-1)!);
    expect(results.mulberry32_seed1_first5).toMatchObject({ passed: 0, failed: 1, skipped: 0 });
    expect(results.something_new).toEqual({ passed: 0, failed: 0, skipped: 2, worst: null });
  });

  it('skips cases with methods and equations that it does not know', async () => {
    const section = { rhs: 'sin(x)+t', x0: 1, t: [0, 1], cases: [{ method: 'leapfrog', steps: 1, nfe: 1, x1: 2 }] };
    expect(await replaySection('ode_fixed', section)).toMatchObject({ passed: 0, failed: 0, skipped: 1 });
  });

  it('refuses a file that is no golden file', async () => {
    const { status, errors } = await runCommand(['doctor', '--golden', goldenFile('list.json', [1])]);
    expect(status).toBe(2);
    expect(errors).toContain('to hold an object of sections; got [1].');
  });
});

describe('doctor', () => {
  it('counts the parameters of a model, with the data or a given shape', async () => {
    const { status, lines } = await runCommand(['doctor', '--model', 'two-moons-mlp', '--json']);
    expect(status).toBe(0);
    const size = JSON.parse(lines.at(-1)!);
    // (2 + 1 time) x 128 + 128, twice 128 x 128 + 128, 128 x 2 + 2.
    expect(size).toMatchObject({ shape: [2], classes: null, parameters: 3 * 128 + 128 + 2 * (128 * 128 + 128) + 258 });
    const wide = await runCommand(['doctor', '--model', 'two-moons-mlp', '--shape', '5', '--json']);
    expect(JSON.parse(wide.lines.at(-1)!).parameters - size.parameters).toBe(3 * 128 + 3 * 129);
  });

  it('estimates the memory of a training step of a config, by what is computed again', async () => {
    const { lines } = await runCommand([
      'doctor',
      '--model',
      'fashion-unet',
      '--shape',
      '1,28,28',
      '--classes',
      '10',
      '--json',
    ]);
    const { step, parameters } = JSON.parse(lines.at(-1)!);
    // Parameters, two moments and the average, each twice, in float32.
    expect(step.nothing.stateBytes).toBe(parameters * 4 * 4 * 2);
    expect(step.blocks.stateBytes).toBe(step.nothing.stateBytes);
    expect(step.blocks.betweenBytes).toBeLessThan(0.6 * step.nothing.betweenBytes);
    expect(step.cheap.stateBytes).toBe(step.nothing.stateBytes);
    expect(step.cheap.betweenBytes).toBeLessThan(0.8 * step.nothing.betweenBytes);
    const sizes = lines.slice(0, -1).filter((line) => line.includes('state'));
    expect(sizes).toHaveLength(3);
    expect(sizes[0]).toMatch(/^ {4}\d+ MiB, of which \d+ MiB state$/);
    expect(sizes[1]).toMatch(/state, with training\.rematerialise=cheap$/);
    expect(sizes[2]).toMatch(/state, with training\.rematerialise=blocks$/);
  });

  it('counts parameters and operations of a network of a paper, also on other samples', async () => {
    const { status, lines } = await runCommand(['doctor', '--model', 'DiT-S/8']);
    expect(status).toBe(0);
    expect(lines.slice(0, 3)).toEqual([
      'DiT-S/8 on [4, 32, 32], 1000 classes',
      '  33,142,016 parameters',
      '  0.3580 · 10^9 multiply-adds for an evaluation of one sample (0.7159 GFLOP)',
    ]);
    const larger = await runCommand(['doctor', '--model', 'DiT-S/8', '--shape', '4,64,64', '--classes', '9', '--json']);
    const { shape, classes, parameters } = JSON.parse(larger.lines.at(-1)!);
    expect({ shape, classes, parameters }).toEqual({
      shape: [4, 64, 64],
      classes: 9,
      parameters: 33_142_016 - 991 * 384,
    });
  });

  it('tells what the machine offers and that the engine computes rightly on it', async () => {
    const { status, lines } = await runCommand(['doctor', '--json']);
    const { machine, golden } = JSON.parse(lines.at(-1)!);
    expect(status).toBe(0);
    expect(machine.providers.cpu).toMatchObject({ available: true, check: { passed: true } });
    expect(machine.onnxRuntime).toBe('1.30.0');
    expect(Object.keys(golden)).toEqual(Object.keys(own));
  });
});
