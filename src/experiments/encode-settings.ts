/** What a command says of an encoding -> its complete settings. */
import { statSync } from 'node:fs';
import { extname } from 'node:path';
import { isImageFolder } from '../data/open-dataset.ts';
import { ConfigError } from '../errors.ts';
import type { AutoencoderConfig } from './autoencoder-config.ts';
import type { RunConfig } from './config.ts';
import type { EncodeSettings } from './encode-request.ts';
import { applyOverrides, parseOverride } from './overrides.ts';
import { allPresets } from './presets/table.ts';
import { readAnyConfig } from './read-config.ts';
import { readAutoencoderConfig } from './run-directory.ts';
import { runFolderOf } from './run-path.ts';
import { imageDataSection } from './schema/data-section.ts';
import type { ImageData } from './stored-data.ts';

const where = 'experiments/encode-settings';

/** What of an encoding is chosen; the rest follows from the data and the autoencoder. */
export interface EncodeChoices {
  /** Name of a preset, path of a config, or images as `data.source`; `null`: the images that the autoencoder was trained on. */
  readonly source: string | null;
  readonly autoencoder: string;
  readonly folder: string | null;
  readonly dtype: string;
  readonly flips: boolean;
  /** Changes to section `data`: texts of the form data.path=value. */
  readonly set: readonly string[];
}

function isConfig(source: string): boolean {
  return Object.hasOwn(allPresets, source) || ['.yaml', '.yml', '.json'].includes(extname(source));
}

/** Section `data` of a config, as it is written there. */
function dataOfConfig(source: string): RunConfig['data'] | AutoencoderConfig['data'] {
  const config = readAnyConfig(source);
  return 'stages' in config ? config.stages.flow.data : config.data;
}

/** Images from a path, of folders in the size of the autoencoder. */
function dataOfPath(source: string, { autoencoder }: AutoencoderConfig): object {
  const isEmbedded = source === 'fashion' || source === 'portraits';
  const fits = !isEmbedded && statSync(source, { throwIfNoEntry: false }) !== undefined && isImageFolder(source);
  return { kind: 'images', source, ...(fits ? { size: autoencoder.size } : {}) };
}

function readData({ source, set }: EncodeChoices, config: AutoencoderConfig): ImageData {
  const base = source === null ? config.data : isConfig(source) ? dataOfConfig(source) : dataOfPath(source, config);
  const { data } = applyOverrides({ data: base }, set.map(parseOverride)) as { readonly data: unknown };
  const result = imageDataSection.safeParse(data);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ConfigError({
    expected: '`data` to be images',
    got: `${['data', ...(issue?.path ?? [])].join('.')}: ${issue?.message}`,
    where,
  });
}

/**
 * The complete settings of an encoding.
 * @throws ConfigError if the autoencoder has no run there, or the data are no images; DataError if there are no such data.
 */
export function readEncodeSettings(choices: EncodeChoices): EncodeSettings {
  const { autoencoder, folder, dtype, flips } = choices;
  if (dtype !== 'float16' && dtype !== 'float32') {
    throw new ConfigError({ expected: '`dtype` to be float16 or float32', got: `"${dtype}"`, where });
  }
  const config = readAutoencoderConfig(runFolderOf(autoencoder));
  const data = readData(choices, config);
  return {
    data: { ...data, flip: data.flip || flips },
    autoencoder,
    folder,
    dtype,
    flips: data.flip || flips,
    runtime: config.runtime,
  };
}
