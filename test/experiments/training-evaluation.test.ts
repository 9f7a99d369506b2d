import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointError, ConfigError } from '../../src/errors.ts';
import type { RunConfig } from '../../src/experiments/config.ts';
import { readLog, runDirectory } from '../../src/experiments/run-directory.ts';
import type { RunEvent } from '../../src/experiments/run-types.ts';
import { openTrainedRun } from '../../src/experiments/trained-run.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { smallConfig, trained } from './small-runs.ts';

const folder = temporaryFolders();

/** Steps that change nothing: every evaluation is as good as the first. */
const still = { optimizer: { kind: 'adam', learningRate: 1e-30 } };

const base = { everyImages: 256, count: 40, metrics: ['frechet', 'prdc'] };

function evaluated(evaluation: object = {}, training: object = {}): RunConfig {
  return smallConfig('points', { training: { ...training, evaluation: { ...base, ...evaluation } } });
}

const state = (directory: string, imagesSeen: number) =>
  readFileSync(join(directory, 'checkpoints', String(imagesSeen).padStart(12, '0'), 'state.safetensors'));

const evaluations = (directory: string) =>
  readLog(runDirectory(directory)).filter((event) => event.kind === 'evaluation');

/** The log but for times and for checkpoints of interruptions. */
function told(directory: string, config: RunConfig): object[] {
  const planned = (event: { readonly kind: string; readonly imagesSeen: number }) =>
    event.kind !== 'checkpoint' || event.imagesSeen % 64 === 0 || event.imagesSeen === config.training.images;
  return readLog(runDirectory(directory))
    .filter(planned)
    .map((event) =>
      event.kind === 'step'
        ? { ...event, imagesPerSecond: 0, secondsLeft: 0, hostShare: 0, peakMemoryBytes: 0 }
        : { ...event, ...(event.kind === 'checkpoint' ? { path: '' } : {}) },
    );
}

describe('evaluations during training', () => {
  it('leave the parameters as they are without, bit by bit, and are told in the log', async () => {
    const [plain, judged] = [folder(), folder()];
    await trained(plain, smallConfig());
    const { events } = await trained(judged, evaluated());
    expect(state(judged, 640)).toEqual(state(plain, 640));
    expect(evaluations(judged).map(({ imagesSeen }) => imagesSeen)).toEqual([256, 512, 640]);
    expect(evaluations(judged)[0]!.metrics.map(({ name }) => name)).toEqual([
      'frechet-distance',
      'precision',
      'recall',
      'f-score',
      'density',
      'coverage',
    ]);
    expect(events.filter(({ kind }) => kind === 'evaluation')).toEqual(evaluations(judged));
    const values = evaluations(judged).map(({ metrics }) => metrics[0]!.value);
    expect(new Set(values).size).toBe(3);
  });

  it('are of the averaged parameters, as `evaluate` measures them', async () => {
    const directory = folder();
    await trained(directory, evaluated());
    const { runner } = await import('../../src/experiments/run.ts');
    const { sampling, runtime } = evaluated();
    const { record } = await runner.evaluate({
      kind: 'model',
      model: directory,
      seeds: { first: 0, count: 40 },
      against: 'train',
      sampling,
      runtime,
      ema: true,
      metrics: ['frechet', 'prdc'],
      features: null,
      referenceCount: null,
      outPath: null,
      signal: new AbortController().signal,
      onEvent: () => {},
    });
    expect(record.metrics).toEqual(evaluations(directory).at(-1)!.metrics);
  });

  it('keep the best checkpoint beyond the newest, which can be opened by name', async () => {
    const directory = folder();
    const config = evaluated({ best: { metric: 'recall' } }, { ...still, checkpoint: { everyImages: 64, keep: 1 } });
    const { outcome } = await trained(directory, config);
    expect(evaluations(directory).map(({ best }) => best)).toEqual([true, false, false]);
    const value = evaluations(directory)[0]!.metrics.find(({ name }) => name === 'recall')!.value;
    const checkpoint = join(directory, 'checkpoints', '000000000256');
    expect(outcome.best).toEqual({ imagesSeen: 256, metric: 'recall', value, checkpoint });
    const opened = await openTrainedRun(join(directory, 'checkpoints', 'best'));
    expect(opened.checkpoint).toMatchObject({ path: checkpoint, facts: { imagesSeen: 256 } });
    const left = readdirSync(join(directory, 'checkpoints')).filter((name) => /^\d+$/.test(name));
    expect(left.map(Number)).toEqual([256, 640]);
  });

  it('stop a run that has not improved for as long as was asked, and a resumed one stays stopped', async () => {
    const directory = folder();
    const config = evaluated({ best: { metric: 'recall', patience: 1 } }, still);
    const { outcome } = await trained(directory, config);
    expect(outcome).toMatchObject({ stoppedEarly: true, interrupted: false, imagesSeen: 512 });
    expect(outcome.best?.imagesSeen).toBe(256);
    expect(outcome.validation).not.toBeNull();
    const log = told(directory, config);
    const again = await trained(directory, config, { resume: true });
    expect(again.events).toEqual([]);
    expect({ ...again.outcome, seconds: 0 }).toEqual({ ...outcome, seconds: 0 });
    expect(told(directory, config)).toEqual(log);
  });

  it('are the same in a run that was interrupted between and during them, as are best and parameters', async () => {
    const config = evaluated({ best: { metric: 'recall' } }, { checkpoint: { everyImages: 64, keep: 2 } });
    const [whole, parts] = [folder(), folder()];
    const { outcome } = await trained(whole, config);
    const stops: ((event: RunEvent) => boolean)[] = [
      (event) => event.kind === 'step' && event.imagesSeen >= 160,
      (event) => event.kind === 'work' && event.what === 'samples',
      (event) => event.kind === 'work' && event.what === 'metrics',
      () => false,
    ];
    for (const [part, stop] of stops.entries()) {
      const controller = new AbortController();
      const onEvent = (event: RunEvent) => {
        if (stop(event)) controller.abort();
      };
      const ended = await trained(parts, config, { resume: part > 0, signal: controller.signal, onEvent });
      expect(ended.outcome.interrupted).toBe(part < 3);
    }
    expect(state(parts, 640)).toEqual(state(whole, 640));
    expect(told(parts, config)).toEqual(told(whole, config));
    const pointer = (directory: string) => readFileSync(join(directory, 'checkpoints', 'best.json'), 'utf8');
    expect(pointer(parts)).toBe(pointer(whole));
    expect(JSON.parse(pointer(whole)).imagesSeen).toBe(outcome.best!.imagesSeen);
  });
});

describe('evaluations that cannot be', () => {
  it('are refused before training, and leave no folder', async () => {
    const directory = join(folder(), 'run');
    await expect(trained(directory, evaluated({ metrics: ['inception-score'] }))).rejects.toThrow(ConfigError);
    await expect(trained(directory, evaluated({ features: 'pixels' }))).rejects.toThrow('coordinates');
    expect(existsSync(directory)).toBe(false);
  });

  it('are refused with the config where the best is by a value that is not measured', () => {
    expect(() => evaluated({ best: { metric: 'kernel-distance' } })).toThrow(
      'Expected `training.evaluation.metrics` to hold kernel, as `training.evaluation.best.metric` is kernel-distance; got frechet, prdc.',
    );
  });

  it('leave no best checkpoint to open', async () => {
    const directory = folder();
    await trained(directory, smallConfig());
    await expect(openTrainedRun(join(directory, 'checkpoints', 'best'))).rejects.toThrow(CheckpointError);
  });
});
