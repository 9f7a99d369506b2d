/** Which names a network's weights have in safetensors files: the paths of our parameters, or those of published checkpoints. */
import type { SafetensorsFile } from '../formats/safetensors-file.ts';
import { type ExternalTensor, externalValues, ownPaths } from '../models/checkpoint-map.ts';
import { ADM_LABEL_TABLE, type AdmCheckpointOptions } from '../models/checkpoint-names/adm-unet.ts';
import type { Model } from '../models/model.ts';
import { flattenParameters } from '../models/parameters.ts';
import { buildCheckpointMap } from './build.ts';
import type { RunConfig } from './config.ts';

/** How tensors of a file are named and laid out. */
export interface WeightNames extends Pick<AdmCheckpointOptions, 'attentionRows'> {
  /** `own`: paths of our parameters. `published`: names and layouts of the network's public checkpoints. */
  readonly names: 'own' | 'published';
}

/** How a file is laid out. */
type FileLayout = WeightNames & AdmCheckpointOptions;

/**
 * The tensors of a file that holds a network, by name.
 * @throws ConfigError if no published network has the form of the config's.
 */
export function namedTensors(
  { names, ...options }: FileLayout,
  config: RunConfig,
  model: Model,
): ReadonlyMap<string, ExternalTensor> {
  if (names === 'published') {
    return buildCheckpointMap(config.model, model, options).toExternal(model.parameters);
  }
  const parameters = flattenParameters(model.parameters);
  return new Map(parameters.map(([path, { shape }]) => [path, { layout: 'same', path, shape } as const]));
}

/**
 * Numbers of a tensor of a file, made of parameters that are read for it.
 * @throws DataError if the file has no room for numbers of ours that are not zero.
 */
export async function valuesOf(
  external: ExternalTensor,
  read: (path: string) => Promise<Float32Array>,
): Promise<Float32Array> {
  const values = new Map<string, Float32Array>();
  for (const path of ownPaths(external)) values.set(path, await read(path));
  return externalValues(external, (path) => values.get(path)!);
}

/** Whether a file's table of labels has a row for the null class. */
export function fileHasNullLabel(file: Pick<SafetensorsFile, 'entries'>, { classes }: Model): boolean {
  return classes !== null && file.entries.get(ADM_LABEL_TABLE)?.shape[0] === classes + 1;
}

/**
 * Whether a network's null label must stand in the file: where it is anything but zeros. It is then the last class of a network of one
 * class more to programs that know no null label.
 */
export async function needsNullLabel(
  { classes, parameters }: Model,
  read: (path: string) => Promise<Float32Array>,
): Promise<boolean> {
  const path = 'condition.label.table';
  const table = flattenParameters(parameters).find(([known]) => known === path);
  if (classes === null || table === undefined) return false;
  const [, { shape }] = table;
  return (await read(path)).subarray(classes * shape[1]).some((value) => value !== 0);
}
