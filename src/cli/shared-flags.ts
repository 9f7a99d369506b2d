/** Flags that every command takes, and how their values are read. */
import { type Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import type { Terminal } from './terminal.ts';

/** Values of the shared flags. */
export interface SharedFlags {
  /** Whether the last line of standard output is one JSON object. */
  readonly json?: true;
  /** Whether to print what would be done, and stop. */
  readonly dryRun?: true;
  readonly seed?: number;
}

/** Adds `--json`, `--dry-run` and `--seed`; commander adds `--help`. */
export function addSharedFlags(command: Command): Command {
  return command
    .option('--json', 'print one JSON object on the last line of standard output')
    .option('--dry-run', 'print the complete settings and stop')
    .option('--seed <n>', 'seed of all randomness', integerFlag(0, 0xffffffff));
}

/** Reads an integer in [least, most]. */
export function integerFlag(least: number, most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `in [${least}, ${most}]`;
    throw new InvalidArgumentError(`Expected an integer ${range}.`);
  };
}

/** Reads a finite number. */
export function numberFlag(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a number.');
}

/** Reads one seed or a range of seeds, such as 0-99. */
export function seedsFlag(text: string): readonly number[] {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || !(first <= last && last - first < 1e6))
    throw new InvalidArgumentError('Expected a range such as 0-99.');
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Collects the values of a flag that may be given several times. */
export function repeatedFlag(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Prints settings: as one JSON line, or as YAML for people. */
export function printSettings(
  terminal: Terminal,
  { json = false }: { readonly json?: boolean },
  settings: unknown,
): void {
  terminal.out(json ? JSON.stringify(settings) : stringify(settings).trimEnd());
}
