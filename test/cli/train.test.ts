import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.ts';
import { readConfig } from '../../src/experiments/read-config.ts';
import type { TrainRequest } from '../../src/experiments/run-types.ts';
import type { AutoencoderOutcome, AutoencoderRequest } from '../../src/experiments/train-autoencoder.ts';
import { fakeRunner, finished, runCommand } from './run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-train-'));
const home = process.cwd();
beforeEach(() => process.chdir(folder));
afterEach(() => process.chdir(home));
afterAll(() => rmSync(folder, { recursive: true }));

/** Leaves what a training leaves for what comes after it. */
function pretend({ config, directory, onEvent }: TrainRequest, interrupted = false) {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config));
  const step = { kind: 'step', imagesSeen: 50, images: 100, loss: 0.5, gradientNorm: 1, learningRate: 1e-3 } as const;
  const events = [
    { ...step, imagesPerSecond: 10, secondsLeft: 5, hostShare: 0 },
    { kind: 'checkpoint', imagesSeen: 100, path: 'c' },
  ] as const;
  for (const event of events) onEvent(event);
  writeFileSync(join(directory, 'log.jsonl'), events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  const outcome = { ...finished, directory, interrupted };
  writeFileSync(join(directory, 'outcome.json'), JSON.stringify(outcome));
  return outcome;
}

/** What a fake training of an autoencoder answers. */
function reconstructed(directory: string): AutoencoderOutcome {
  const metric = { samples: { pictures: 10 } };
  return {
    directory,
    imagesSeen: 800,
    seconds: 61,
    interrupted: false,
    checkpoint: 'c',
    parameterCount: 7,
    discriminatorParameterCount: 5,
    latents: [4, 16, 16],
    reconstruction: {
      loss: 0.25,
      standardError: 0.01,
      samples: 10,
      untrained: { loss: 1.5, standardError: 0.02, samples: 10 },
      psnr: { ...metric, name: 'psnr', unit: 'dB', value: 25, standardError: 0.5, convention: 'peak=255' },
      ssim: { ...metric, name: 'ssim', unit: '1', value: 0.9, standardError: 0.01, convention: 'K1=0.01' },
      codes: { used: 300, of: 512, perplexity: 250 },
      grid: 'grid.png',
    },
    curve: 'curve.svg',
    skippedImages: 0,
  };
}

describe('train', () => {
  it('trains in a numbered folder, samples, draws the curve and prints what came out', async () => {
    const { runner, trained, sampled } = fakeRunner(pretend);
    const { status, lines, errors } = await runCommand(['train', 'two-moons-mlp', '--seed', '3', '--json'], { runner });
    expect(status).toBe(0);
    expect(trained).toMatchObject([{ directory: join('runs', '1-two-moons-mlp'), resume: false, config: { seed: 3 } }]);
    expect(sampled).toMatchObject([
      { arraysPath: join('runs', '1-two-moons-mlp', 'samples', 'samples.npz'), gridPath: null },
    ]);
    expect(errors).toContain('50 of 100 images  loss 0.5000  10 images/s  0:05 left\n');
    expect(lines).toContain('held-out loss        0.2500 ± 0.0100  (10 held out)');
    expect(lines).toContain('  untrained network  1.5000 ± 0.0200  (10 held out)');
    expect(lines).toContain('  best constant      0.9000 ± 0.0200  (10 held out)');
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ imagesSeen: 100, validation: { loss: 0.25 }, grid: null });
    expect(readFileSync(join('runs', '1-two-moons-mlp', 'training-curve.svg'), 'utf8')).toMatch(/^<svg/);
  });

  it('saves and says how to go on when it is interrupted', async () => {
    const { runner, sampled } = fakeRunner((request) => pretend(request, true));
    const { status, errors } = await runCommand(['train', 'two-moons-mlp', '--run', 'mine'], { runner });
    expect(status).toBe(130);
    expect(errors).toContain('To go on: flowloom train --resume mine');
    expect(sampled).toEqual([]);
  });

  it('trains an autoencoder and prints how near pictures come to themselves', async () => {
    const requests: AutoencoderRequest[] = [];
    const { runner } = fakeRunner(() => Promise.reject(new Error('unexpected training')));
    const trainAutoencoder = async (request: AutoencoderRequest) => {
      requests.push(request);
      const reconstruction = { psnr: 20, ssim: 0.75, codes: { used: 3, perplexity: 2.5 } };
      request.onEvent({ kind: 'validation', imagesSeen: 0, loss: 0.5, standardError: 0.1, reconstruction });
      return reconstructed(request.directory);
    };
    const args = ['train', 'portraits-vq', '--set', 'training.images=800', '--json'];
    const { status, lines, errors } = await runCommand(args, { runner: { ...runner, trainAutoencoder } });
    expect(status).toBe(0);
    expect(requests).toMatchObject([
      { resume: false, config: { autoencoder: { kind: 'vq' }, training: { images: 800 } } },
    ]);
    expect(errors).toContain(
      '0 images: held-out loss 0.5000 ± 0.1000, PSNR 20.00 dB, SSIM 0.750, 3 codes, perplexity 2.5\n',
    );
    expect(
      lines.slice(1, -1).join('\n'),
    ).toBe(`trained              800 images, in 1:01; 7 parameters, and 5 of the discriminator
latents              4 x 16 x 16 of a picture
held-out loss        0.2500 ± 0.0100  (10 held out)
  untrained network  1.5000 ± 0.0200  (10 held out)
PSNR                 25.00 ± 0.50 dB
SSIM                 0.900 ± 0.010
codes                300 of 512 used, perplexity 250.0
reconstructions      grid.png, each row of originals above its own
  PSNR is            peak=255
  SSIM is            K1=0.01
training curve       curve.svg`);
    expect(JSON.parse(lines.at(-1)!)).toEqual(reconstructed(requests[0]!.directory));
  });

  it('leaves no empty folder when it fails before the start', async () => {
    const { runner, trained } = fakeRunner(() => Promise.reject(new DataError('no data')));
    const { status } = await runCommand(['train', 'two-moons-mlp'], { runner });
    expect(status).toBe(2);
    expect(existsSync(trained[0]!.directory)).toBe(false);
  });

  it('goes on with the config of the run', async () => {
    const config = readConfig('two-moons-mlp', { seed: 9 });
    mkdirSync('begun');
    writeFileSync(join('begun', 'config.json'), JSON.stringify(config));
    const { runner, trained } = fakeRunner(pretend);
    const { status } = await runCommand(['train', '--resume', 'begun', '--set', 'runtime.threads=1'], { runner });
    expect(status).toBe(0);
    expect(trained).toMatchObject([
      { directory: 'begun', resume: true, config: { ...config, runtime: { threads: 1 } } },
    ]);
  });
});

describe('start', () => {
  const small = ['--set', 'sampling.perClass=1', '--set', 'training.images=3200'];

  it('trains the main job with a grid that has a row for each class', async () => {
    const { runner, trained, sampled } = fakeRunner(pretend);
    const { status, lines } = await runCommand(['start'], { runner });
    expect(status).toBe(0);
    expect(trained[0]!.config).toEqual(readConfig('fashion-unet'));
    const [{ seeds, labels, columns, gridPath }] = sampled as [(typeof sampled)[0]];
    expect(gridPath).toMatch(/fashion-unet.samples.grid\.png$/);
    expect(columns).toBe(10);
    expect(seeds).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(labels).toEqual(Array.from({ length: 100 }, (_, i) => Math.floor(i / 10)));
    expect(lines.find((line) => line.trim().startsWith('rows'))).toMatch(/trouser.*bag/);
  });

  it('goes on with its newest run if that was interrupted, unless a fresh one is wanted or settings differ', async () => {
    const { runner, trained } = fakeRunner((request) => pretend(request, trained.length < 2));
    const directories = async (args: readonly string[]) => {
      await runCommand(['start', ...small, ...args], { runner });
      const { directory, resume } = trained.at(-1)!;
      // What the last step of a start leaves, and the pretended runner does not.
      mkdirSync(join(directory, 'samples'), { recursive: true });
      writeFileSync(join(directory, 'samples', 'grid.png'), '');
      return { directory, resume };
    };
    const first = await directories([]);
    expect(first.resume).toBe(false);
    expect(await directories([])).toEqual({ directory: first.directory, resume: true });
    const third = await directories([]);
    expect(third.resume).toBe(false);
    expect(third.directory).not.toBe(first.directory);
    rmSync(join(third.directory, 'outcome.json'));
    expect((await directories(['--seed', '1'])).resume).toBe(false);
    expect(existsSync(first.directory)).toBe(true);
    const killed = trained.at(-1)!.directory;
    rmSync(join(killed, 'outcome.json'));
    expect(await directories(['--seed', '1'])).toEqual({ directory: killed, resume: true });
    rmSync(join(killed, 'outcome.json'));
    expect((await directories(['--seed', '1', '--fresh'])).resume).toBe(false);
  });
});
