import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { RunConfig } from '../../src/experiments/config.ts';
import { readLog, runDirectory } from '../../src/experiments/run-directory.ts';
import type { RunEvent } from '../../src/experiments/run-types.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { smallConfig, trained } from './small-runs.ts';

const folder = temporaryFolders();

const stateOf = (directory: string, imagesSeen: number) =>
  readFileSync(join(directory, 'checkpoints', String(imagesSeen).padStart(12, '0'), 'state.safetensors'));

const coupled = (coupling: object): RunConfig =>
  smallConfig('points', { coupling: { kind: 'semidiscrete', noisesPerImage: 10, ...coupling } });

/** Trains, stopping where the tests say, each after the first time that it applies. */
async function inParts(config: RunConfig, stops: readonly ((event: RunEvent) => boolean)[]): Promise<string> {
  const directory = folder();
  for (const [part, stop] of [...stops, () => false].entries()) {
    const controller = new AbortController();
    const onEvent = (event: RunEvent) => {
      if (stop(event)) controller.abort();
    };
    const { outcome } = await trained(directory, config, { resume: part > 0, signal: controller.signal, onEvent });
    expect(outcome.interrupted).toBe(part < stops.length);
  }
  return directory;
}

const fitBeyond = (noises: number) => (event: RunEvent) => event.kind === 'preliminary' && event.done >= noises;
const stepAt = (imagesSeen: number) => (event: RunEvent) => event.kind === 'step' && event.imagesSeen >= imagesSeen;

it.each([
  ['all data together', coupled({})],
  ['each label by itself', coupled({ perClass: true })],
])(
  'a run with %s, interrupted in the fit and in training, is bit for bit the uninterrupted one',
  async (_name, config) => {
    const whole = folder();
    const { events } = await trained(whole, config);
    const parts = await inParts(config, [fitBeyond(1), fitBeyond(2500), stepAt(96)]);
    expect(stateOf(parts, 640)).toEqual(stateOf(whole, 640));
    const costs = (directory: string) => readLog(runDirectory(directory)).filter(({ kind }) => kind === 'coupling');
    expect(costs(parts)).toEqual(costs(whole));
    const [cost] = events.filter((event) => event.kind === 'coupling');
    expect(cost).toMatchObject({ imagesSeen: 0, pairs: 4096, chiSquared: { value: expect.any(Number) } });
    const [step] = events.filter((event) => event.kind === 'step');
    expect(step!.pairing!.cost).toBeLessThan(step!.pairing!.costBefore);
  },
);
