/** Networks that a reproduction trains: once, and taken as they are when it is called again. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { boxAverage } from '../../data/box-average.ts';
import { type ImageDataset, readImages } from '../../data/image-dataset.ts';
import { writeNpz } from '../../formats/npz.ts';
import { identityLatent } from '../../latent/identity.ts';
import type { RunConfig } from '../config.ts';
import { writeWhole } from '../run-directory.ts';
import { train } from '../train-run.ts';
import type { Surroundings } from '../trained-field.ts';
import { openTrainedRun, type TrainedRun } from '../trained-run.ts';

/**
 * The run of a config in a folder: trained if there is none, continued if it was broken off, and as it is if it has ended.
 * @throws the signal's reason if it aborts, with a checkpoint left; ConfigError if the folder holds another run.
 */
export async function reusedRun(
  config: RunConfig,
  directory: string,
  { signal, onEvent }: Surroundings,
): Promise<TrainedRun> {
  const resume = existsSync(join(directory, 'config.json'));
  onEvent({ kind: 'note', text: `${resume ? 'taking' : 'training'} ${directory}` });
  await train({ config, directory, resume, signal, onEvent });
  // A training that is interrupted ends well, with a checkpoint.
  signal.throwIfAborted();
  return openTrainedRun(directory);
}

/** Images of a set by their numbers, at a size: uint8 [count, channels, size, size], means of boxes rounded. */
export async function smallImages(set: ImageDataset, numbers: Uint32Array, size: number): Promise<Uint8Array> {
  const { channels, height, width } = set;
  const latent = identityLatent([channels, height, width]);
  const latents = await latent.encode(await readImages(set, numbers));
  return latent.decode(boxAverage({ values: latents, shape: [channels, height, width] }, size));
}

/** Writes images as an .npz file, which a run can be trained on. @returns the path. */
export function writeImageArray(
  path: string,
  { pixels, channels, size }: { readonly pixels: Uint8Array; readonly channels: number; readonly size: number },
): string {
  mkdirSync(dirname(path), { recursive: true });
  const shape = [pixels.length / (channels * size * size), channels, size, size];
  writeWhole(path, writeNpz(new Map([['images', { dtype: 'uint8', shape, data: Uint8Array.from(pixels) }]])));
  return path;
}
