import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import type { RunConfig } from '../../src/experiments/config.ts';
import { checkDirectory } from '../../src/experiments/hold-run.ts';
import { readLog, runDirectory, writeRunConfig } from '../../src/experiments/run-directory.ts';
import type { RunEvent } from '../../src/experiments/run-types.ts';
import { stream } from '../../src/numerics/stream.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { smallConfig, trained } from './small-runs.ts';

const folder = temporaryFolders();

const state = (directory: string, imagesSeen: number) =>
  readFileSync(join(directory, 'checkpoints', String(imagesSeen).padStart(12, '0'), 'state.safetensors'));

/** What a log says, but for times, and for the checkpoints of interruptions. */
function told(directory: string, config: RunConfig): object[] {
  const every = config.training.checkpoint.everyImages!;
  const planned = ({ kind, imagesSeen }: { kind: string; imagesSeen: number }) =>
    kind !== 'checkpoint' || imagesSeen % every === 0 || imagesSeen === config.training.images;
  return readLog(runDirectory(directory))
    .filter(planned)
    .map((event) => {
      switch (event.kind) {
        case 'step': {
          const {
            imagesPerSecond: _rate,
            secondsLeft: _left,
            hostShare: _share,
            peakMemoryBytes: _bytes,
            ...rest
          } = event;
          return rest;
        }
        case 'preliminary':
          return { ...event, secondsLeft: 0 };
        case 'checkpoint':
          return { ...event, path: '' };
        default:
          return event;
      }
    });
}

/** Trains, stopping at each of the given numbers of images. */
async function inParts(config: RunConfig, stops: readonly number[]): Promise<string> {
  const directory = folder();
  for (const [part, stop] of [...stops, Number.POSITIVE_INFINITY].entries()) {
    const controller = new AbortController();
    const onEvent = (event: RunEvent) => {
      if (event.kind === 'step' && event.imagesSeen >= stop) controller.abort();
    };
    const { outcome } = await trained(directory, config, { resume: part > 0, signal: controller.signal, onEvent });
    expect(outcome.interrupted).toBe(stop < config.training.images);
    if (outcome.interrupted) expect(outcome.imagesSeen).toBe(stop);
  }
  return directory;
}

const adam = { optimizer: { kind: 'adam' as const, learningRate: 1e-2 } };
const configs: readonly [string, RunConfig, number][] = [
  ['plain', smallConfig(), 32],
  [
    'accumulated gradients and RAdam',
    smallConfig('points', { training: { accumulate: 2, optimizer: { kind: 'radam' } } }),
    64,
  ],
  [
    'jitter, logit-normal times and no average',
    smallConfig('points', {
      path: { kind: 'linear', sigma: 0.1 },
      time: { kind: 'logit-normal' },
      training: { ...adam, ema: null },
    }),
    32,
  ],
  [
    'noises kept and exchanged over several steps at once, caches and renewal',
    smallConfig('points', {
      coupling: {
        kind: 'loom',
        caches: 2,
        perClass: true,
        largeBatch: 96,
        refresh: { kind: 'gradual', probability: 0.05 },
        interpolate: 0.9,
      },
    }),
    32,
  ],
  [
    'noises exchanged before the first step, over accumulated batches, across the ends of epochs',
    smallConfig('points', {
      data: { kind: 'vectors', source: 'two-moons', count: 70 },
      coupling: { kind: 'loom', trainAfter: 300, refresh: { kind: 'all', everyImages: 500 } },
      training: { accumulate: 2 },
    }),
    64,
  ],
  [
    'empirical targets of the labels told, over accumulated batches',
    smallConfig('points', { target: { kind: 'efm', candidates: 30 }, training: { accumulate: 2 } }),
    64,
  ],
  [
    'empirical targets of a shared bank',
    smallConfig('points', { target: { kind: 'efm', candidates: 40, bank: 'shared' } }),
    32,
  ],
  [
    'minibatch optimal transport over several steps at once',
    smallConfig('points', { coupling: { kind: 'minibatch-ot', largeBatch: 128 } }),
    32,
  ],
];

describe.each(configs)('a run with %s', (_name, config, imagesPerStep) => {
  it('resumed after interruptions is bit for bit the uninterrupted one, and so is its log', async () => {
    const whole = folder();
    await trained(whole, config);
    const random = stream(1, 'stops');
    const stepCount = config.training.images / imagesPerStep;
    const stops = [1 + random.below(stepCount - 3), stepCount - 1 - random.below(2)].map(
      (step) => step * imagesPerStep,
    );
    const parts = await inParts(config, stops);
    expect(state(parts, config.training.images)).toEqual(state(whole, config.training.images));
    expect(told(parts, config)).toEqual(told(whole, config));
  });
});

it('work before the first step goes on where it was interrupted, and the log does not tell', async () => {
  const coupling = { kind: 'loom' as const, trainAfter: 640 };
  const config = smallConfig('points', { coupling, training: { images: 64, schedule: { kind: 'constant' } } });
  const [whole, parts] = [folder(), folder()];
  await trained(whole, config);
  for (const stop of [64, 320, Number.POSITIVE_INFINITY]) {
    const controller = new AbortController();
    const onEvent = (event: RunEvent) => {
      if (event.kind === 'preliminary' && event.done >= stop) controller.abort();
    };
    const { outcome } = await trained(parts, config, { resume: stop > 64, signal: controller.signal, onEvent });
    expect([outcome.interrupted, outcome.imagesSeen]).toEqual(Number.isFinite(stop) ? [true, 0] : [false, 64]);
  }
  expect(state(parts, 64)).toEqual(state(whole, 64));
  expect(told(parts, config)).toEqual(told(whole, config));
});

it('a run that goes on with its blocks rematerialised is bit for bit the one that was not', async () => {
  const config = smallConfig('points', { training: { images: 128 } });
  const [whole, parts] = [folder(), folder()];
  await trained(whole, config);
  const controller = new AbortController();
  const onEvent = (event: RunEvent) => {
    if (event.kind === 'step' && event.imagesSeen >= 64) controller.abort();
  };
  const { outcome } = await trained(parts, config, { signal: controller.signal, onEvent });
  expect(outcome.interrupted).toBe(true);
  const saving: RunConfig = { ...config, training: { ...config.training, rematerialise: 'blocks' } };
  await trained(parts, saving, { resume: true });
  expect(state(parts, 128)).toEqual(state(whole, 128));
});

it('a run in mixed precision may change its provider when it goes on, and not what is computed again', () => {
  const config = smallConfig('points', { training: { images: 64 }, runtime: { provider: 'webgpu' } });
  const check = (training: Partial<RunConfig['training']>, next: Partial<RunConfig['training']>) => {
    const directory = folder();
    writeRunConfig(directory, { ...config, training: { ...config.training, ...training } });
    const runtime = { ...config.runtime, provider: 'cuda' } as const;
    const changed = { ...config, runtime, training: { ...config.training, ...training, ...next } };
    return () => checkDirectory({ directory, resume: true, config: changed });
  };
  expect(check({ precision: 'mixed' }, {})).not.toThrow();
  expect(check({ precision: 'mixed' }, { rematerialise: 'blocks' })).toThrow(ConfigError);
  expect(check({ precision: 'float32' }, { rematerialise: 'blocks' })).not.toThrow();
  expect(check({ precision: 'float32' }, { precision: 'mixed' })).toThrow(ConfigError);
});

it('a run in mixed precision tells its loss scale in the log', async () => {
  const config = smallConfig('points', { training: { images: 128 } });
  const directory = folder();
  // Below the check of the config: the processor converts float16, slowly.
  await trained(directory, { ...config, training: { ...config.training, precision: 'mixed' } });
  const log = readFileSync(runDirectory(directory).log, 'utf8').trim().split('\n');
  const steps = log.map((line) => JSON.parse(line) as RunEvent).filter((event) => event.kind === 'step');
  expect(steps.length).toBeGreaterThan(0);
  for (const { lossScale } of steps) {
    expect(Number.isInteger(Math.log2(lossScale!.value))).toBe(true);
    expect(lossScale!.skipped).toBeGreaterThanOrEqual(0);
  }
});

it('another seed gives another run', async () => {
  const [one, two] = [folder(), folder()];
  const config = smallConfig('points', { training: { images: 64 } });
  await trained(one, config);
  await trained(two, { ...config, seed: 1 });
  expect(state(one, 64)).not.toEqual(state(two, 64));
});
