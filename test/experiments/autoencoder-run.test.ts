import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAutoencoderConfig } from '../../src/experiments/autoencoder-config.ts';
import { openAutoencoderRun } from '../../src/experiments/autoencoder-run.ts';
import { buildAutoencoder } from '../../src/experiments/build.ts';
import { readRunConfig, writeRunConfig } from '../../src/experiments/run-directory.ts';
import { flattenParameters, initializeParameters } from '../../src/models/parameters.ts';
import { type CheckpointTensor, writeCheckpoint } from '../../src/training/checkpoint.ts';

const config = parseAutoencoderConfig(
  {
    name: 'tiny',
    data: { kind: 'images', source: 'portraits' },
    autoencoder: { kind: 'vq', size: 8, channels: 32, multipliers: [1, 1], blocks: 1, codes: 16 },
    training: { images: 8 },
  },
  'tiny',
);
let folder = '';

/** A run whose averaged parameters are drawn from a seed, and its raw ones from the next. */
async function writeRun(name: string, seed: number): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  const { checkpoints } = writeRunConfig(path, config);
  const { parameters } = buildAutoencoder(config.autoencoder);
  const tensors = new Map<string, CheckpointTensor>();
  for (const [group, offset] of [
    ['ema', 0],
    ['parameters', 1],
  ] as const) {
    const values = initializeParameters(parameters, seed + offset);
    for (const [path, { shape }] of flattenParameters(parameters)) {
      tensors.set(`${group}.${path}`, { shape, data: values[path] });
    }
  }
  await writeCheckpoint(checkpoints, { tensors, imagesSeen: 8, updates: 1, seed: 0 }, { keep: 1 });
  return path;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flowloom-autoencoder-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('an autoencoder that was trained', () => {
  it('opens from its folder and from a checkpoint, with the same hash', async () => {
    const path = await writeRun('a', 1);
    const run = await openAutoencoderRun(path);
    expect(run.network.latents.shape).toEqual([4, 4, 4]);
    expect(Object.keys(run.parameters).sort()).toEqual(
      flattenParameters(run.network.parameters)
        .map(([name]) => name)
        .sort(),
    );
    expect((await openAutoencoderRun(run.checkpoint.path)).hash).toBe(run.hash);
  });

  it('has a hash that depends on the parameters and on which of them are used', async () => {
    const [one, two] = [await writeRun('b', 1), await writeRun('c', 2)];
    const hashes = [
      (await openAutoencoderRun(one)).hash,
      (await openAutoencoderRun(two)).hash,
      (await openAutoencoderRun(one, { ema: false })).hash,
    ];
    // The raw parameters of the first are the averaged ones of the second.
    expect(hashes[2]).toBe(hashes[1]);
    expect(hashes[0]).not.toBe(hashes[1]);
  });

  it('is not a run of a flow', async () => {
    const path = await writeRun('d', 1);
    expect(() => readRunConfig(path)).toThrow(
      `Expected \`${path}\` to be the run of a flow; got that of an autoencoder. In experiments/run-directory.`,
    );
  });
});
