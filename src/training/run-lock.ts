/** A file that keeps a second process out of a run directory while the first lives. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { CheckpointError } from '../errors.ts';

interface Owner {
  readonly host: string;
  readonly pid: number;
  /** When the process started, in the system's own count; tells a process from a later one with the same number. */
  readonly started: string | null;
}

/** Start time of a process from Linux's process table; `null` where there is none. */
function startOf(pid: number): string | null {
  try {
    // Field 22 of /proc/<pid>/stat; the second field, the name in parentheses, may hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields[19] ?? null;
  } catch {
    return null;
  }
}

function isAlive({ host, pid, started }: Owner): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const now = startOf(pid);
  return started === null || now === null || now === started;
}

function readOwner(path: string): Owner | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Owner;
  } catch {
    return null;
  }
}

/**
 * Takes a run directory for this process; a lock left by a process that is gone is taken over.
 * @returns a function that gives it back.
 * @throws CheckpointError if another process, or this one, holds it.
 */
export function lockRun(directory: string): () => void {
  const path = join(directory, 'run.lock');
  const mine: Owner = { host: hostname(), pid: process.pid, started: startOf(process.pid) };
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(path, JSON.stringify(mine), { flag: 'wx' });
      break;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    }
    const owner = readOwner(path);
    if (attempt > 0 || (owner !== null && isAlive(owner))) {
      throw new CheckpointError({
        expected: `\`${directory}\` to be free`,
        got: owner === null ? 'a lock' : `a lock of process ${owner.pid} on ${owner.host}`,
        where: 'training/run-lock',
        remedy: `another run directory, or removing \`${path}\` if that process is gone`,
      });
    }
    rmSync(path, { force: true });
  }
  return () => {
    if (readOwner(path)?.pid === process.pid) rmSync(path, { force: true });
  };
}
