import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunConfig } from './config.ts';
import { runsFolder } from './run-path.ts';

/** The newest run of a config in a folder of runs that has begun and not come to its end; null if there is none. */
export function findUnfinishedRun(config: RunConfig, parent: string = runsFolder): string | null {
  if (!existsSync(parent)) return null;
  const numberOf = (name: string) => Number(/^\d+/.exec(name)?.[0] ?? 0);
  const newest = readdirSync(parent)
    .filter((name) => name.replace(/^\d+-/, '') === config.name)
    .sort((a, b) => numberOf(b) - numberOf(a))[0];
  if (newest === undefined) return null;
  const path = join(parent, newest);
  const begun = readJson(join(path, 'config.json'));
  // A run of other settings is another experiment, and one with an outcome has ended, unless it was interrupted.
  if (JSON.stringify(begun) !== JSON.stringify(config)) return null;
  const outcome = readJson(join(path, 'outcome.json'));
  // Samples are the last thing that a start makes.
  const trained = typeof outcome === 'object' && outcome !== null && 'interrupted' in outcome && !outcome.interrupted;
  return trained && existsSync(join(path, 'samples', 'grid.png')) ? null : path;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}
