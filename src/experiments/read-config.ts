/** A preset's name or a file -> the config of a run. */
import { readFileSync, statSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { ConfigError } from '../errors.ts';
import { type AnyConfig, isFlow, kindOfConfig, parseAnyConfig } from './any-config.ts';
import { parseConfig, type RunConfig } from './config.ts';
import { nearestName } from './nearest-name.ts';
import { applyOverrides, type Override, parseOverride } from './overrides.ts';
import { allPresets } from './presets/table.ts';

/** Changes to what a preset or a file says. */
export interface ReadConfigOptions {
  /** Texts of the form path=value, made in order. */
  readonly set?: readonly string[];
  /** Seed of the run; null: as configured. */
  readonly seed?: number | null;
}

/**
 * The complete config of a preset or a YAML or JSON file, with changes.
 *
 * @throws ConfigError if there is neither such a preset nor such a file, or the config has faults.
 */
export function readConfig(nameOrPath: string, { set = [], seed = null }: ReadConfigOptions = {}): RunConfig {
  const config = readAnyConfig(nameOrPath, { set, seed });
  if (isFlow(config)) return config;
  const got = `that of ${kindOfConfig(config)}`;
  throw new ConfigError({ expected: `the config of a flow in ${nameOrPath}`, got, where: 'experiments/read-config' });
}

/** The same for what can be trained: flows, autoencoders, stages. @throws ConfigError as `readConfig`. */
export function readAnyConfig(nameOrPath: string, { set = [], seed = null }: ReadConfigOptions = {}): AnyConfig {
  const preset = Object.hasOwn(allPresets, nameOrPath) ? allPresets[nameOrPath] : null;
  const base = preset ?? readFile(nameOrPath);
  return parseAnyConfig(applyOverrides(base, overridesOf(set, seed)), nameOrPath);
}

/**
 * A config with changes, from one that is complete already, such as that of a run.
 * @throws ConfigError if the result has faults.
 */
export function reviseConfig(config: RunConfig, { set = [], seed = null }: ReadConfigOptions, from: string): RunConfig {
  return parseConfig(applyOverrides(config, overridesOf(set, seed)), from);
}

/** The same for a config of any kind. @throws ConfigError if the result has faults. */
export function reviseAnyConfig(
  config: AnyConfig,
  { set = [], seed = null }: ReadConfigOptions,
  from: string,
): AnyConfig {
  return parseAnyConfig(applyOverrides(config, overridesOf(set, seed)), from);
}

function overridesOf(set: readonly string[], seed: number | null): Override[] {
  const overrides = set.map(parseOverride);
  return seed === null ? overrides : [...overrides, { path: ['seed'], value: seed }];
}

function readFile(path: string): unknown {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    const names = Object.keys(allPresets);
    const meant = nearestName(path, names);
    throw new ConfigError({
      expected: `a preset (${names.join(', ')}) or the path of a config file`,
      got: `"${path}"`,
      ...(meant === null ? {} : { remedy: meant }),
    });
  }
  // YAML 1.2 holds JSON, so one parser reads both.
  const document = parseDocument(readFileSync(path, 'utf8'), { prettyErrors: true });
  const fault = document.errors[0];
  if (fault !== undefined) throw new ConfigError(`${path} is neither YAML nor JSON: ${fault.message}`);
  const value: unknown = document.toJS();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { $schema: _editorsOnly, ...config } = value as Readonly<Record<string, unknown>>;
  return config;
}
