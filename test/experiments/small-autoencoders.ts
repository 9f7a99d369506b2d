/** Autoencoders that nobody has trained, and images of their size. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AutoencoderConfigInput, parseAutoencoderConfig } from '../../src/experiments/autoencoder-config.ts';
import { buildAutoencoder } from '../../src/experiments/build.ts';
import { writeRunConfig } from '../../src/experiments/run-directory.ts';
import { writeNpz } from '../../src/formats/npz.ts';
import { flattenParameters, initializeParameters } from '../../src/models/parameters.ts';
import { stream } from '../../src/numerics/stream.ts';
import { type CheckpointTensor, writeCheckpoint } from '../../src/training/checkpoint.ts';

/** An autoencoder of 8 x 8 pictures with 4 x 4 x 4 latents. */
export const smallAutoencoder: AutoencoderConfigInput = {
  name: 'small',
  data: { kind: 'images', source: 'portraits' },
  autoencoder: { kind: 'vq', size: 8, channels: 32, multipliers: [1, 1], blocks: 1, codes: 16 },
  training: { images: 8 },
  runtime: { threads: 1 },
};

/** Writes the run of an autoencoder whose parameters are drawn from a seed. */
export async function writeAutoencoderRun(
  path: string,
  seed: number,
  change: Partial<AutoencoderConfigInput> = {},
): Promise<string> {
  const config = parseAutoencoderConfig({ ...smallAutoencoder, ...change }, 'small');
  mkdirSync(path, { recursive: true });
  const { checkpoints } = writeRunConfig(path, config);
  const { parameters } = buildAutoencoder(config.autoencoder);
  const tensors = new Map<string, CheckpointTensor>();
  for (const group of ['ema', 'parameters']) {
    const values = initializeParameters(parameters, seed);
    for (const [name, { shape }] of flattenParameters(parameters)) {
      tensors.set(`${group}.${name}`, { shape, data: values[name]! });
    }
  }
  await writeCheckpoint(checkpoints, { tensors, imagesSeen: 8, updates: 1, seed: 0 }, { keep: 1 });
  return path;
}

/** Writes 30 labelled pictures of side x side: noise around a shade of grey that tells the label. */
export function writePictures(folder: string, side = 8): string {
  const random = stream(3, 'pictures');
  const labels = Int32Array.from({ length: 30 }, (_, i) => i % 2);
  const elements = 3 * side ** 2;
  const images = Uint8Array.from({ length: 30 * elements }, (_, i) => {
    return 60 + 100 * (Math.floor(i / elements) % 2) + random.below(30);
  });
  const path = join(folder, 'pictures.npz');
  const arrays = new Map([
    ['images', { dtype: 'uint8', shape: [30, side, side, 3], data: images }],
    ['labels', { dtype: 'int32', shape: [30], data: labels }],
  ] as const);
  writeFileSync(path, writeNpz(arrays));
  return path;
}
