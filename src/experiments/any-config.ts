/** What can be trained, each kind told by a section that the others do not have. */
import { type AutoencoderConfig, parseAutoencoderConfig } from './autoencoder-config.ts';
import { parseConfig, type RunConfig } from './config.ts';
import { parseStagesConfig, type StagesConfig } from './stages-config.ts';

/** Config of a flow, of an autoencoder (section `autoencoder`), or of stages (section `stages`). */
export type AnyConfig = RunConfig | AutoencoderConfig | StagesConfig;

/** A complete config of any kind. @throws ConfigError as `parseConfig`. */
export function parseAnyConfig(value: unknown, from: string): AnyConfig {
  const has = (section: string) => typeof value === 'object' && value !== null && section in value;
  if (has('stages')) return parseStagesConfig(value, from);
  return has('autoencoder') ? parseAutoencoderConfig(value, from) : parseConfig(value, from);
}

/** What a config is of, in words. */
export function kindOfConfig(config: AnyConfig): string {
  if ('stages' in config) return 'stages';
  return 'autoencoder' in config ? 'an autoencoder' : 'a flow';
}

/** Whether a config is that of a flow. */
export function isFlow(config: AnyConfig): config is RunConfig {
  return 'model' in config;
}
