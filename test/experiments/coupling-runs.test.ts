import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { smallConfig, trained } from './small-runs.ts';

const folder = temporaryFolders();

const state = (directory: string, images: number) =>
  readFileSync(join(directory, 'checkpoints', String(images).padStart(12, '0'), 'state.safetensors'));

describe('a run with LOOM', () => {
  it('logs what its pairs cost, those of the batch and those of the whole set', async () => {
    const { events } = await trained(folder(), smallConfig('points', { coupling: { kind: 'loom' } }));
    const steps = events.filter((event) => event.kind === 'step');
    expect(steps).toHaveLength(20);
    for (const { pairing } of steps) {
      expect(pairing!.rows).toBe(32);
      expect(pairing!.cost).toBeLessThanOrEqual(pairing!.costBefore);
    }
    const whole = events.filter((event) => event.kind === 'coupling');
    expect(whole.map(({ imagesSeen }) => imagesSeen)).toEqual([0, 128, 256, 384, 512, 640]);
    for (const [i, { pairs, cost, standardError }] of whole.entries()) {
      expect([pairs, standardError]).toEqual([500, 0]);
      if (i > 0) expect(cost).toBeLessThan(whole[i - 1].cost);
    }
  });

  it('is the same with any number of data workers', async () => {
    const runs = [];
    for (const workers of [0, 1, 4]) {
      const data = { kind: 'images', source: 'portraits', label: 'gender', flip: true, workers } as const;
      const directory = folder();
      await trained(directory, smallConfig('pictures', { data, coupling: { kind: 'loom', caches: 2 } }));
      runs.push(state(directory, 16));
    }
    for (const run of runs) expect(run.equals(runs[0])).toBe(true);
  });

  it('keeps 4 bytes for a datum and cache in its checkpoint, mirrored data apart', async () => {
    const data = { kind: 'images', source: 'portraits', label: 'gender', flip: true } as const;
    const sizes = [];
    for (const coupling of [{ kind: 'independent' }, { kind: 'loom', caches: 3 }] as const) {
      const directory = folder();
      await trained(directory, smallConfig('pictures', { data, coupling }));
      sizes.push(state(directory, 16).length);
    }
    // Nine tenths of the 997 portraits are for training; the rest is the header's lines, a checksum and a count.
    const training = 997 - Math.round(997 * 0.1);
    const more = sizes[1] - sizes[0] - 4 * 3 * 2 * training;
    expect(more).toBeGreaterThan(0);
    expect(more).toBeLessThan(400);
  });
});

it('a person is told when a coupling would give each label other noise', async () => {
  const notes = async (change: Parameters<typeof smallConfig>[1]) => {
    const { events } = await trained(
      folder(),
      smallConfig('points', { ...change, training: { images: 32, schedule: { kind: 'constant' } } }),
    );
    return events.filter((event) => event.kind === 'note').map(({ text }) => text);
  };
  expect(await notes({ coupling: { kind: 'minibatch-ot' } })).toEqual([
    'The model is told labels, and coupling minibatch-ot gives each label other noise: samples of a label will be biased. Try coupling.perClass=true.',
  ]);
  expect(await notes({ coupling: { kind: 'minibatch-ot', perClass: true } })).toEqual([]);
  expect(await notes({ coupling: { kind: 'independent' } })).toEqual([]);
  const model = { kind: 'mlp', hidden: [8], labels: false } as const;
  expect(await notes({ model, coupling: { kind: 'minibatch-ot' } })).toEqual([]);
});

describe('a config of a coupling', () => {
  const fault = (coupling: Parameters<typeof smallConfig>[1]) => {
    try {
      smallConfig('points', coupling);
      return null;
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as Error).message;
    }
  };

  it('pairs whole steps at once', () => {
    expect(fault({ coupling: { kind: 'loom', largeBatch: 100 } })).toContain(
      'Expected `coupling.largeBatch` to be a multiple of the 32 images of a step; got 100.',
    );
    expect(fault({ coupling: { kind: 'minibatch-ot', largeBatch: 128 }, training: { accumulate: 2 } })).toBeNull();
  });

  it('waits only for noises that are exchanged and kept', () => {
    const expected = 'expected `coupling.keep` and `coupling.reassign` to be true; got false';
    expect(fault({ coupling: { kind: 'loom', trainAfter: 64, keep: false } })).toContain(expected);
    expect(fault({ coupling: { kind: 'loom', trainAfter: 64, reassign: false } })).toContain(expected);
    expect(fault({ coupling: { kind: 'loom', trainAfter: 64 } })).toBeNull();
  });

  it('renews and mixes only noises that are kept', () => {
    const refresh = { kind: 'gradual', probability: 0.1 } as const;
    for (const change of [{ refresh }, { interpolate: 0.5 }]) {
      expect(fault({ coupling: { kind: 'loom', keep: false, ...change } })).toContain(
        'expected `coupling.keep` to be true; got false',
      );
      expect(fault({ coupling: { kind: 'loom', ...change } })).toBeNull();
    }
  });

  it('is refused with an unknown kind or field, and told what there is', () => {
    // As a file might have it.
    expect(fault({ coupling: { kind: 'lom' } as never })).toContain('loom');
    expect(fault({ coupling: { kind: 'loom', cache: 4 } as never })).toContain('caches');
  });
});
