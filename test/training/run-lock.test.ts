import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CheckpointError, DataError } from '../../src/errors.ts';
import { lockRun } from '../../src/training/run-lock.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';

const folder = temporaryFolders();

/** A process that holds the lock of a directory. */
async function holder(directory: string): Promise<ChildProcess> {
  const script = new URL('./hold-lock.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--import', 'tsx', script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

const ownerFile = (directory: string) => join(directory, 'run.lock', 'owner.json');

describe('the lock of a run directory', () => {
  it('refuses a second taker until it is given back', () => {
    const directory = folder();
    const giveBack = lockRun(directory);
    expect(() => lockRun(directory)).toThrow(CheckpointError);
    expect(() => lockRun(directory)).toThrow(`a lock of process ${process.pid} on`);
    giveBack();
    expect(readdirSync(directory)).toEqual([]);
    lockRun(directory)();
  });

  it('refuses another process while its owner lives, and is taken over after the owner was killed', async () => {
    const directory = folder();
    const child = await holder(directory);
    expect(() => lockRun(directory)).toThrow(
      `Expected \`${directory}\` to be free; got a lock of process ${child.pid} on`,
    );
    await kill(child);
    const giveBack = lockRun(directory);
    expect(JSON.parse(readFileSync(ownerFile(directory), 'utf8')).pid).toBe(process.pid);
    giveBack();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('is taken over from a process whose number another process has now', () => {
    const directory = folder();
    lockRun(directory);
    const owner = JSON.parse(readFileSync(ownerFile(directory), 'utf8'));
    // Where the system does not tell when processes started, numbers are all there is.
    if (owner.started === null) return;
    writeFileSync(ownerFile(directory), JSON.stringify({ ...owner, started: '1' }));
    lockRun(directory)();
  });

  it('is taken over where it says nothing, as after a power failure', () => {
    for (const leave of [
      (path: string) => mkdirSync(path),
      (path: string) => writeFileSync(path, ''),
      (path: string) => {
        mkdirSync(path);
        writeFileSync(join(path, 'owner.json'), '{"pi');
      },
    ]) {
      const directory = folder();
      leave(join(directory, 'run.lock'));
      lockRun(directory)();
      expect(readdirSync(directory)).toEqual([]);
    }
  });

  it('of another machine counts as held', () => {
    const directory = folder();
    mkdirSync(join(directory, 'run.lock'));
    writeFileSync(ownerFile(directory), JSON.stringify({ host: 'elsewhere', pid: 1, started: null }));
    expect(() => lockRun(directory)).toThrow('a lock of process 1 on elsewhere');
    expect(() => lockRun(directory)).toThrow('removing');
  });

  it('is not given back by one who has lost it', () => {
    const directory = folder();
    const giveBack = lockRun(directory);
    const other = JSON.stringify({ host: 'elsewhere', pid: 1, started: null });
    writeFileSync(ownerFile(directory), other);
    giveBack();
    expect(readFileSync(ownerFile(directory), 'utf8')).toBe(other);
  });

  it('needs a directory that can be written', () => {
    expect(() => lockRun(join(folder(), 'missing'))).toThrow(DataError);
  });
});
