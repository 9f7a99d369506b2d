/** `--set path=value`: changes to a config on the command line. */
import { parseDocument } from 'yaml';
import { ConfigError } from '../errors.ts';

/** One change: `value` goes to `path`. */
export interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
}

/**
 * A change from its text, `training.batchSize=64`. The value is read as YAML, so that 64 is a number, null is null and [1, 2] a list.
 * @throws ConfigError if the text has no `=`, an empty path, or a value that is no YAML.
 */
export function parseOverride(text: string): Override {
  const match = /^([\w$-]+(?:\.[\w$-]+)*)=(.*)$/s.exec(text);
  const document = match === null ? null : parseDocument(match[2]!);
  const fault = document?.errors[0];
  if (match === null || document === null || fault !== undefined) {
    throw new ConfigError({
      expected: 'a change in the form path=value, with a value in YAML',
      got: fault === undefined ? `"${text}"` : `"${text}", whose value does not parse`,
      where: '--set',
      remedy: '--set training.batchSize=64',
    });
  }
  return { path: match[1]!.split('.'), value: document.toJS() };
}

/**
 * A copy of `config` with the changes made, in order. A change of a section's `kind` to another one empties the section first, because
 * its other fields belong to the old kind; such changes are made before all others.
 */
export function applyOverrides(config: unknown, overrides: readonly Override[]): unknown {
  const changesKind = ({ path }: Override) => path.at(-1) === 'kind';
  const ordered = [...overrides.filter(changesKind), ...overrides.filter((override) => !changesKind(override))];
  return ordered.reduce((value, { path, value: next }) => withValue(value, path, next), config);
}

function withValue(at: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (Array.isArray(at) && /^\d+$/.test(key)) {
    return Object.assign([...at], { [key]: withValue(at[Number(key)], rest, value) });
  }
  const record: Readonly<Record<string, unknown>> =
    typeof at === 'object' && at !== null && !Array.isArray(at) ? { ...at } : {};
  if (key === 'kind' && rest.length === 0 && record.kind !== value) return { kind: value };
  return { ...record, [key]: withValue(record[key], rest, value) };
}
