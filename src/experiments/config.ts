/** The config of a run: all its sections, and how a value from a file becomes one. */
import { z } from 'zod';
import { ConfigError } from '../errors.ts';
import { crossFaults } from './config-consistency.ts';
import { describeIssues } from './config-faults.ts';
import { couplingSection } from './schema/coupling-section.ts';
import { dataSection, latentSection } from './schema/data-section.ts';
import { modelSection } from './schema/model-section.ts';
import { runtimeSection, samplingSection } from './schema/sampling-section.ts';
import { targetSection } from './schema/target-section.ts';
import { pathSection, timeSection, trainingSection } from './schema/training-section.ts';

/** What every config begins with. */
export const identityFields = {
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
    .describe('Name of the run, part of its folder: letters, digits, dots, dashes and underscores.'),
  seed: z.int().min(0).max(0xffffffff).default(0).describe('Fixes all randomness of the run.'),
};

/** Schema of a flow's config; its defaults are written here and nowhere else. */
export const configSchema = z.strictObject({
  ...identityFields,
  data: dataSection,
  latent: latentSection,
  model: modelSection,
  coupling: couplingSection,
  path: pathSection,
  time: timeSection,
  target: targetSection,
  training: trainingSection,
  sampling: samplingSection,
  runtime: runtimeSection,
});

/** A record that nobody changes. */
export type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** Config of a run, complete: every default is filled in. */
export type RunConfig = DeepReadonly<z.output<typeof configSchema>>;

/** A config as people write it: what has a default may be left out. */
export type RunConfigInput = DeepReadonly<z.input<typeof configSchema>>;

/** Section `runtime` of a config that does not name it. */
export function runtimeDefaults(): RunConfig['runtime'] {
  return runtimeSection.parse(undefined);
}

/** JSON Schema (draft 2020-12) of files that a schema of configs describes, for editors. */
export function fileJsonSchema(of: z.ZodType, title: string): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(of, { io: 'input' });
  const properties = { $schema: { type: 'string', description: 'Path of this schema.' }, ...schema.properties };
  return { $schema, title, ...schema, properties };
}

/** JSON Schema of a flow's config file. */
export function configJsonSchema(): Record<string, unknown> {
  return fileJsonSchema(configSchema, 'flowloom config');
}

/**
 * A complete config from what a file holds.
 *
 * @param from  what the value came from, for messages: a path or a preset's name.
 * @throws ConfigError with all faults at once, each with its path and what is allowed there.
 */
export function parseConfig(value: unknown, from: string): RunConfig {
  return parseBySchema(value, { schema: configSchema, jsonSchema: configJsonSchema, faultsOf: crossFaults, from });
}

/** What a kind of config is: its fields, and what they demand of each other. */
export interface ConfigKind<C> {
  readonly schema: z.ZodType<C>;
  readonly jsonSchema: () => object;
  /** Faults of a config whose fields are sound one by one. */
  readonly faultsOf: (config: C) => readonly string[];
  /** As for `parseConfig`. */
  readonly from: string;
}

/** A complete config of a kind. @throws ConfigError as `parseConfig`. */
export function parseBySchema<C>(value: unknown, { schema, jsonSchema, faultsOf, from }: ConfigKind<C>): C {
  const result = schema.safeParse(value);
  const faults = result.success ? faultsOf(result.data) : describeIssues(result.error.issues, value, jsonSchema());
  if (result.success && faults.length === 0) return result.data;
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  throw new ConfigError(`The config ${from} has ${count}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
}
