/**
 * A lock that keeps a second process out of a run directory while the first lives: the folder `run.lock`, whose `owner.json`
 * says who holds it. It is made elsewhere and renamed into place, which succeeds for one process only and shows no other process
 * a lock without its owner.
 */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { CheckpointError, DataError } from '../errors.ts';

interface Owner {
  readonly host: string;
  readonly pid: number;
  /** When the process started, in the system's own count; tells a process from a later one with the same number. */
  readonly started: string | null;
}

/** Name of the lock in a run directory; what is being made or removed has it as prefix. */
export const lockName = 'run.lock';

const ownerFile = 'owner.json';
const where = 'training/run-lock';

/** Attempts to take a lock over: more than one only if several processes try at once. */
const mostAttempts = 5;

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

/** The owner that a lock names; `null` if the lock is gone or says nothing, as after a power failure. */
function readOwner(lock: string): Owner | null {
  try {
    return JSON.parse(readFileSync(join(lock, ownerFile), 'utf8')) as Owner;
  } catch {
    return null;
  }
}

function sameOwner(a: Owner | null, b: Owner | null): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function inUse(directory: string, owner: Owner | null): CheckpointError {
  return new CheckpointError({
    expected: `\`${directory}\` to be free`,
    got: owner === null ? 'a lock' : `a lock of process ${owner.pid} on ${owner.host}`,
    where,
    remedy: `another run directory, or removing \`${join(directory, lockName)}\` if that process is gone`,
  });
}

/** Renames, if it is possible. */
function movedTo(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch {
    return false;
  }
}

/**
 * Removes a lock that a process left which is gone.
 * @throws CheckpointError if the owner lives.
 */
function removeStale(directory: string, spare: string): void {
  const lock = join(directory, lockName);
  const owner = readOwner(lock);
  if (owner !== null && isAlive(owner)) throw inUse(directory, owner);
  if (!movedTo(lock, spare)) return;
  const moved = readOwner(spare);
  if (!sameOwner(moved, owner)) {
    // Another process has taken the stale lock over meanwhile, and this is its new one.
    movedTo(spare, lock);
    throw inUse(directory, moved);
  }
  rmSync(spare, { recursive: true, force: true });
}

/**
 * Takes a run directory for this process; a lock left by a process that is gone is taken over.
 * @returns a function that gives it back.
 * @throws CheckpointError if another process, or this one, holds it; DataError if the directory cannot be written.
 */
export function lockRun(directory: string): () => void {
  const lock = join(directory, lockName);
  const mine: Owner = { host: hostname(), pid: process.pid, started: startOf(process.pid) };
  let folder: string;
  try {
    folder = mkdtempSync(`${lock}.`);
    mkdirSync(join(folder, 'new'));
    writeFileSync(join(folder, 'new', ownerFile), JSON.stringify(mine));
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new DataError({ expected: `\`${directory}\` to be a folder that can be written`, got, where, cause });
  }
  try {
    for (let attempt = 0; !movedTo(join(folder, 'new'), lock); attempt++) {
      if (attempt === mostAttempts) throw inUse(directory, readOwner(lock));
      removeStale(directory, join(folder, 'stale'));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return () => {
    // Renamed first: while a folder is emptied, another process may put its lock in the place.
    if (sameOwner(readOwner(lock), mine) && movedTo(lock, folder)) rmSync(folder, { recursive: true, force: true });
  };
}
