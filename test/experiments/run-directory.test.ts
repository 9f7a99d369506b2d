import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkFree,
  readLog,
  readRunConfig,
  runDirectory,
  truncateLog,
  writeRunConfig,
} from '../../src/experiments/run-directory.ts';
import { checkpointPaths } from '../../src/training/checkpoint.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { smallConfig, trained } from './small-runs.ts';

const folder = temporaryFolders();

const validation = (imagesSeen: number) => ({ kind: 'validation' as const, imagesSeen, loss: 1, standardError: 0.1 });
const lines = (...events: object[]) => events.map((event) => `${JSON.stringify(event)}\n`).join('');

describe('the log of a run', () => {
  it('is read up to a line that a kill has cut', () => {
    const directory = runDirectory(folder());
    expect(readLog(directory)).toEqual([]);
    writeFileSync(directory.log, `${lines(validation(0), validation(10))}{"kind":"validation","imag`);
    expect(readLog(directory)).toEqual([validation(0), validation(10)]);
  });

  it('loses what came after the images of a checkpoint', () => {
    const directory = runDirectory(folder());
    writeFileSync(directory.log, `${lines(validation(0), validation(10), validation(20))}{"kind"`);
    truncateLog(directory, 10);
    expect(readFileSync(directory.log, 'utf8')).toBe(lines(validation(0), validation(10)));
    truncateLog(directory, -1);
    expect(readFileSync(directory.log, 'utf8')).toBe('');
    expect(readdirSync(directory.path)).toEqual(['log.jsonl']);
  });
});

describe('a resumed run', () => {
  const untimed = (path: string) => readLog(runDirectory(path)).map(({ kind, imagesSeen }) => `${kind} ${imagesSeen}`);

  it.each([
    [
      'that had logged more than its newest checkpoint',
      (path: string) => appendFileSync(join(path, 'log.jsonl'), lines(validation(999), validation(1000))),
    ],
    [
      'that was killed before it could log its checkpoint',
      (path: string) => {
        const log = join(path, 'log.jsonl');
        const events = readFileSync(log, 'utf8')
          .split('\n')
          .filter((line) => !line.includes('"imagesSeen":512,"path"'));
        writeFileSync(log, events.join('\n'));
      },
    ],
    [
      'that was killed while it wrote a line',
      (path: string) => appendFileSync(join(path, 'log.jsonl'), '{"kind":"step","images'),
    ],
  ])('%s has the log of an uninterrupted one', async (_what, damage) => {
    const [whole, killed] = [folder(), join(folder(), 'killed')];
    await trained(whole, smallConfig());
    cpSync(whole, killed, { recursive: true });
    rmSync((await checkpointPaths(join(killed, 'checkpoints'))).at(-1)!, { recursive: true });
    damage(killed);
    await trained(killed, smallConfig(), { resume: true });
    expect(untimed(killed)).toEqual(untimed(whole));
  });
});

describe('the folder of a run', () => {
  it('is free while it holds no more than a lock or half a config', () => {
    const path = folder();
    for (const name of ['run.lock', 'run.lock.x1', 'config.json.partial']) writeFileSync(join(path, name), '');
    checkFree(path);
    checkFree(join(path, 'missing'));
    writeRunConfig(path, smallConfig());
    expect(() => checkFree(path)).toThrow(/got one with checkpoints, config\.json, samples\..*--resume/);
  });

  it('gives its config back', () => {
    const path = folder();
    writeRunConfig(path, smallConfig());
    expect(readRunConfig(path)).toEqual(smallConfig());
    expect(existsSync(join(path, 'config.json.partial'))).toBe(false);
  });

  it('with a damaged config is refused by name', () => {
    const path = folder();
    writeFileSync(join(path, 'config.json'), '{');
    expect(() => readRunConfig(path)).toThrow(`Expected \`${join(path, 'config.json')}\` to be JSON`);
    writeFileSync(join(path, 'config.json'), '{}');
    expect(() => readRunConfig(path)).toThrow(/The config .* has \d+ faults/);
  });
});
