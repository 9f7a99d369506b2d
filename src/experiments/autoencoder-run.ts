/** A trained autoencoder, as what encodes and decodes by it opens it. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CheckpointError } from '../errors.ts';
import type { ImageAutoencoder } from '../models/image-autoencoder.ts';
import { flattenParameters } from '../models/parameters.ts';
import { type Checkpoint, latestCheckpoint, openCheckpoint } from '../training/checkpoint.ts';
import type { AutoencoderConfig } from './autoencoder-config.ts';
import { buildAutoencoder } from './build.ts';
import { readAutoencoderConfig, runDirectory } from './run-directory.ts';
import { parameterGroup, readParameters } from './run-parameters.ts';

/** An autoencoder with its parameters. */
export interface AutoencoderRun {
  readonly config: AutoencoderConfig;
  readonly checkpoint: Checkpoint;
  /** Pure functions between pictures in [-1, 1] and latents, to be traced with the parameters. */
  readonly network: ImageAutoencoder;
  /** By path: encoder, codebook and decoder; no discriminator. */
  readonly parameters: Readonly<Record<string, Float32Array>>;
  /** SHA-256 of the network's config and these parameters: what latents depend on. Hexadecimal. */
  readonly hash: string;
}

/**
 * The autoencoder of a run's folder with its newest checkpoint, or of one of its checkpoints.
 * @param options.ema  whether the averaged parameters are wanted, if the run keeps them.
 * @throws ConfigError if the folder holds no autoencoder's run; CheckpointError if nothing is trained yet or the checkpoint is damaged.
 */
export async function openAutoencoderRun(
  folder: string,
  { ema = true }: { readonly ema?: boolean } = {},
): Promise<AutoencoderRun> {
  const { config, checkpoint } = await openCheckpointed(folder);
  const network = buildAutoencoder(config.autoencoder);
  const parameters = await readParameters(checkpoint, parameterGroup(config, ema));
  const missing = flattenParameters(network.parameters).find(([path]) => parameters[path] === undefined);
  if (missing !== undefined) {
    throw new CheckpointError({
      expected: `\`${checkpoint.path}\` to hold parameter \`${missing[0]}\``,
      got: 'none',
      where: 'experiments/autoencoder-run',
      remedy: "the run's own config.json",
    });
  }
  return { config, checkpoint, network, parameters, hash: hashOf(config, network, parameters) };
}

async function openCheckpointed(folder: string): Promise<Pick<AutoencoderRun, 'config' | 'checkpoint'>> {
  const path = resolve(folder);
  if (existsSync(join(path, 'checkpoint.json'))) {
    return { config: readAutoencoderConfig(dirname(dirname(path))), checkpoint: await openCheckpoint(path) };
  }
  const config = readAutoencoderConfig(path);
  const checkpoint = await latestCheckpoint(runDirectory(path).checkpoints);
  if (checkpoint !== null) return { config, checkpoint };
  throw new CheckpointError({
    expected: `\`${folder}\` to hold a checkpoint`,
    got: 'none',
    where: 'experiments/autoencoder-run',
    remedy: `training it first: train --resume ${folder}`,
  });
}

function hashOf(
  { autoencoder }: AutoencoderConfig,
  network: ImageAutoencoder,
  parameters: AutoencoderRun['parameters'],
): string {
  const hash = createHash('sha256').update(JSON.stringify(autoencoder));
  for (const [path] of flattenParameters(network.parameters)) {
    const { buffer, byteOffset, byteLength } = parameters[path];
    hash.update(path).update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest('hex');
}
