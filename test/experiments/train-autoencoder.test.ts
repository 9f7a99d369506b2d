import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AutoencoderConfig, parseAutoencoderConfig } from '../../src/experiments/autoencoder-config.ts';
import { openAutoencoderRun } from '../../src/experiments/autoencoder-run.ts';
import { readLog, runDirectory } from '../../src/experiments/run-directory.ts';
import type { RunEvent } from '../../src/experiments/run-types.ts';
import { trainAutoencoder } from '../../src/experiments/train-autoencoder.ts';
import type { NpyArray } from '../../src/formats/npy.ts';
import { writeNpz } from '../../src/formats/npz.ts';
import { safetensor } from '../../src/formats/safetensors.ts';
import { writeSafetensorsFile } from '../../src/formats/safetensors-file.ts';
import { stream } from '../../src/numerics/stream.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { identityFile } from '../metrics/features/tiny-network.ts';

const folder = temporaryFolders();

/** 24 grey slopes of 12 x 12 pixels. */
function writeSlopes(): string {
  const random = stream(5, 'slopes');
  const data = new Uint8Array(24 * 144);
  for (let image = 0; image < 24; image++) {
    const [dx, dy] = [random.uniform() * 2 - 1, random.uniform() * 2 - 1];
    for (let i = 0; i < 144; i++)
      data[image * 144 + i] = 128 + 10 * (dx * ((i % 12) - 5.5) + dy * (Math.floor(i / 12) - 5.5));
  }
  const images: NpyArray = { dtype: 'uint8', shape: [24, 12, 12], data };
  const path = join(folder(), 'slopes.npz');
  writeFileSync(path, writeNpz(new Map([['images', images]])));
  return path;
}

const tiny = { size: 12, colors: 1, channels: 4, multipliers: [1], blocks: 1, groups: 2, latentChannels: 2 } as const;

function configOf(source: string, change: object = {}, training: object = {}): AutoencoderConfig {
  return parseAutoencoderConfig(
    {
      name: 'slopes',
      data: { kind: 'images', source, heldOut: 0.25, flip: true },
      autoencoder: { kind: 'vq', ...tiny, codes: 8, revival: { everyImages: 8 } },
      loss: { adversarial: { startImages: 8, channels: 4, layers: 1 } },
      training: {
        images: 24,
        batchSize: 2,
        optimizer: { kind: 'adam', learningRate: 1e-2 },
        ema: { kind: 'decay', decay: 0.9 },
        validation: { everyImages: 12, images: 6 },
        checkpoint: { everyImages: 8, keep: null },
        log: { everyImages: 2 },
        ...training,
      },
      runtime: { threads: 1 },
      ...change,
    },
    'test',
  );
}

async function train(directory: string, config: AutoencoderConfig, stop = Number.POSITIVE_INFINITY) {
  const controller = new AbortController();
  const onEvent = (event: RunEvent) => {
    if (event.kind === 'step' && event.imagesSeen >= stop) controller.abort();
  };
  const resume = existsSync(join(directory, 'config.json'));
  return trainAutoencoder({ config, directory, resume, signal: controller.signal, onEvent });
}

/** What a log says, but for times, paths and checkpoints. */
function told(directory: string): object[] {
  return readLog(runDirectory(directory)).flatMap((event): object[] => {
    if (event.kind === 'checkpoint') return [];
    if (event.kind !== 'step') return [event];
    const { imagesPerSecond: _rate, secondsLeft: _left, hostShare: _share, peakMemoryBytes: _memory, ...rest } = event;
    return [rest];
  });
}

const state = (checkpoint: string) => readFileSync(join(checkpoint, 'state.safetensors'));

const kinds: readonly [string, object, object, readonly number[]][] = [
  ['of a VQ-VAE with discriminator and revival', {}, {}, [10]],
  ['of a KL autoencoder with accumulated gradients', { autoencoder: { kind: 'kl', ...tiny } }, { accumulate: 2 }, [12]],
];

describe('the run of an autoencoder', () => {
  it.each(kinds)('%s continues bit by bit where it was interrupted', async (_name, change, training, stops) => {
    const config = configOf(writeSlopes(), change, training);
    const [whole, parts] = [folder(), folder()];
    const uninterrupted = await train(whole, config);
    for (const stop of stops) {
      expect(await train(parts, config, stop)).toMatchObject({
        interrupted: true,
        imagesSeen: stop,
        reconstruction: null,
      });
    }
    const resumed = await train(parts, config);
    expect(resumed.interrupted).toBe(false);
    expect(state(resumed.checkpoint)).toEqual(state(uninterrupted.checkpoint));
    expect(told(parts)).toEqual(told(whole));
    expect(resumed.reconstruction).toEqual({
      ...uninterrupted.reconstruction,
      grid: join(parts, 'samples', 'reconstructions.png'),
    });
    expect((await openAutoencoderRun(parts)).hash).toBe((await openAutoencoderRun(whole)).hash);
  });

  it('ends with measures of held-out pictures, the grid and the curve', async () => {
    const directory = folder();
    const outcome = await train(directory, configOf(writeSlopes(), {}, { images: 4 }));
    expect(outcome).toMatchObject({
      imagesSeen: 4,
      latents: [2, 12, 12],
      reconstruction: {
        samples: 6,
        untrained: { samples: 6 },
        psnr: { unit: 'dB', samples: { pictures: 6 } },
        ssim: { samples: { pictures: 6 } },
        codes: { of: 8 },
      },
    });
    const { reconstruction, curve } = outcome;
    expect(reconstruction!.psnr.convention).toMatch(/^data=.*slopes\.npz held out, held out 0.25 by seed 0; peak=255/);
    for (const path of [reconstruction!.grid, curve!]) expect(existsSync(path)).toBe(true);
    const last = readLog(runDirectory(directory)).findLast((event) => event.kind === 'validation');
    expect(last).toMatchObject({
      reconstruction: { psnr: reconstruction!.psnr.value, ssim: reconstruction!.ssim.value },
    });
  });

  it('weighs what a network sees by channels and in all', async () => {
    const source = writeSlopes();
    const network = join(folder(), 'identity.onnx');
    writeFileSync(network, identityFile([2, 3, 12, 12]));
    const weightsFile = join(folder(), 'weights.safetensors');
    await writeSafetensorsFile(weightsFile, new Map([['none', safetensor(new Float32Array(3), [3])]]));
    const termsOf = async (perceptual: object) => {
      const directory = folder();
      const features = `${network}?range=[-1,1]`;
      await train(directory, configOf(source, { loss: { perceptual: { features, ...perceptual } } }, { images: 2 }));
      const [step] = readLog(runDirectory(directory)).filter((event) => event.kind === 'step');
      return { loss: step.loss, ...step.terms } as Record<string, number>;
    };
    const layer = { name: 'same' };
    const plain = await termsOf({ layers: [layer], weight: 3 });
    expect(plain.perceptual).toBeGreaterThan(0);
    expect(plain.loss).toBeCloseTo(plain.pixel + plain.bottleneck + 3 * plain.perceptual, 5);
    const weighed = await termsOf({ layers: [{ ...layer, weights: 'none' }], weightsFile });
    expect(weighed.perceptual).toBe(0);
    expect(weighed.pixel).toBe(plain.pixel);
  });

  it('refuses images of another shape, and leaves nothing behind', async () => {
    const directory = folder();
    const config = configOf(writeSlopes(), { autoencoder: { kind: 'vq', ...tiny, size: 16 } });
    await expect(train(directory, config)).rejects.toThrow(
      'Expected images [1, 16, 16], as `autoencoder.colors` and `autoencoder.size` say; got [1, 12, 12] in',
    );
    expect(existsSync(join(directory, 'config.json'))).toBe(false);
  });
});
