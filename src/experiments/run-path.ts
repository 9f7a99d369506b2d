/** Paths of runs: `runs/<n>-<name>`, numbered in the order of their making. */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Folder of runs, below the working directory. */
export const runsFolder = 'runs';

function numbersIn(parent: string): number[] {
  if (!statSync(parent, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(parent).map((name) => Number(/^(\d+)-/.exec(name)?.[1] ?? 0));
}

/** Path of the next run, `<parent>/<n>-<name>` with n one more than the largest so far. Makes nothing. */
export function nextRunPath(name: string, parent: string = runsFolder): string {
  return join(parent, `${Math.max(0, ...numbersIn(parent)) + 1}-${name}`);
}

/** The empty folder of the next run, made now; two processes at once get two folders. */
export function claimRunPath(name: string, parent: string = runsFolder): string {
  mkdirSync(parent, { recursive: true });
  for (;;) {
    const path = nextRunPath(name, parent);
    try {
      mkdirSync(path);
      return path;
    } catch (error) {
      // Another process was faster: the next number is free.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** The folder of a run, from itself or from that of one of its checkpoints, `<run>/checkpoints/<name>`. */
export function runFolderOf(path: string): string {
  return /[\\/]checkpoints[\\/][^\\/]+[\\/]?$/.test(path) ? join(path, '..', '..') : path;
}

/** Names of runs in tables and charts: of their folders, or their whole paths where folders are called the same. */
export function namesOfRuns(directories: readonly string[]): readonly string[] {
  const names = directories.map((directory) => {
    const folder = basename(runFolderOf(directory));
    return runFolderOf(directory) === directory ? folder : `${folder} at ${basename(directory)}`;
  });
  return new Set(names).size === names.length ? names : directories;
}
