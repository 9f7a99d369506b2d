import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { reproduceCommand } from '../../src/cli/reproduce.ts';
import type { ReproductionContext, ReproductionOutcome } from '../../src/experiments/reproduce/reproduction.ts';
import { reproductions } from '../../src/experiments/reproduce/table.ts';
import { fakeRunner, recordedTerminal, runCommand } from './run-command.ts';

describe('reproduce', () => {
  it('names every figure in its help', async () => {
    const { lines } = await runCommand(['reproduce', '--help']);
    for (const [name, { summary }] of Object.entries(reproductions))
      expect(lines.join('\n')).toContain(`${name}: ${summary}`);
  });

  it.each([
    [
      ['reproduce', 'batch-ot-bond'],
      `Expected the name of a figure or table: ${Object.keys(reproductions).join(', ')}; got batch-ot-bond. In reproduce. Try batch-ot-bound.`,
    ],
    [
      ['reproduce', 'figure-9'],
      `Expected the name of a figure or table: ${Object.keys(reproductions).join(', ')}; got figure-9. In reproduce.`,
    ],
    [['reproduce', 'constructor'], 'got constructor'],
    [['reproduce', 'batch-ot-bound', '--scale', 'huge'], 'Allowed choices are laptop, paper.'],
    [['reproduce'], "missing required argument 'figure'"],
  ] as const)('answers the mistake %j with status 2 and a sentence', async (args, message) => {
    const { status, errors, lines } = await runCommand(args);
    expect(status).toBe(2);
    expect(errors).toContain(message);
    expect(lines).toEqual([]);
  });

  it('prints the complete settings on --dry-run', async () => {
    const flags = ['--scale', 'paper', '--seed', '9', '--out', 'there', '--dry-run'];
    const yaml = await runCommand(['reproduce', 'batch-ot-bound', ...flags]);
    expect(yaml.status).toBe(0);
    const settings = parse(yaml.lines.join('\n'));
    expect(settings).toMatchObject({ figure: 'batch-ot-bound', scale: 'paper', directory: 'there', seed: 9 });
    expect(settings.repetitions).toBeGreaterThan(0);
    const json = await runCommand(['reproduce', 'batch-ot-bound', '--json', '--dry-run']);
    expect(json.lines).toHaveLength(1);
    expect(JSON.parse(json.lines[0]!)).toMatchObject({
      scale: 'laptop',
      seed: 0,
      directory: expect.stringMatching(/^reproductions.batch-ot-bound$/),
    });
  });
});

/** Runs `reproduce` with a figure whose work is a function. */
async function reproduce(
  args: readonly string[],
  work: (context: ReproductionContext) => Promise<ReproductionOutcome>,
) {
  const terminal = recordedTerminal();
  const statuses: number[] = [];
  const { runner } = fakeRunner(() => Promise.reject(new Error('unexpected training')));
  const context = { terminal, runner, setStatus: (status: number) => statuses.push(status) };
  const load = () => Promise.resolve(() => ({ settings: {}, run: work }));
  const command = reproduceCommand(context, { figure: { summary: 'a figure', load } });
  await command.exitOverride().parseAsync(['figure', ...args], { from: 'user' });
  return { lines: terminal.lines, errors: terminal.errors, statuses };
}

describe('a reproduction that runs', () => {
  const found = { lines: ['a table'], paths: ['a.csv'], result: { value: 1 } };

  it('shows its progress, its tables and its files, and one JSON object on the last line', async () => {
    const { lines, errors, statuses } = await reproduce(['--json', '--out', 'here'], async ({ onEvent, directory }) => {
      onEvent({ kind: 'work', done: 1, count: 2, unit: 'batches', secondsLeft: 3 });
      return { ...found, agrees: true, result: { directory } };
    });
    expect(errors).toBe('1 of 2 batches  0:03 left\n');
    expect(lines.slice(0, -1)).toEqual(['a table', '', 'a.csv']);
    const json = { figure: 'figure', scale: 'laptop', agrees: true, paths: ['a.csv'], result: { directory: 'here' } };
    expect(JSON.parse(lines.at(-1)!)).toEqual(json);
    expect(statuses).toEqual([]);
  });

  it('ends with status 1 where the paper is contradicted, after showing all', async () => {
    const { lines, statuses } = await reproduce([], async () => ({ ...found, agrees: false }));
    expect(lines).toEqual(['a table', '', 'a.csv']);
    expect(statuses).toEqual([1]);
  });

  it('hears of an interrupt', async () => {
    const waiting = reproduce([], async ({ signal }) => {
      process.emit('SIGINT', 'SIGINT');
      signal.throwIfAborted();
      return { ...found, agrees: true };
    });
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});
