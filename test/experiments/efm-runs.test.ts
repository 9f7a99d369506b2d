import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { parseConfig } from '../../src/experiments/config.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { smallConfig, trained } from './small-runs.ts';

const folder = temporaryFolders();

const state = (directory: string, images: number) =>
  readFileSync(join(directory, 'checkpoints', String(images).padStart(12, '0'), 'state.safetensors'));

const faultOf = (f: () => unknown) => {
  try {
    f();
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
};

describe('a run with empirical targets', () => {
  it('is that of flow matching, bit for bit, where a bank is the datum alone', async () => {
    const states = [];
    for (const target of [{ kind: 'conditional' }, { kind: 'efm', candidates: 1 }] as const) {
      const directory = folder();
      await trained(directory, smallConfig('points', { target }));
      states.push(state(directory, 640));
    }
    expect(states[1].equals(states[0])).toBe(true);
  });

  it('is another one with more candidates, and tells how stochastic its targets are', async () => {
    const directory = folder();
    const plain = folder();
    const { events } = await trained(directory, smallConfig('points', { target: { kind: 'efm', candidates: 64 } }));
    await trained(plain, smallConfig());
    expect(state(directory, 640).equals(state(plain, 640))).toBe(false);
    const steps = events.filter((event) => event.kind === 'step');
    expect(steps).toHaveLength(20);
    for (const { target } of steps) {
      expect(target!.candidates).toBe(64);
      expect(target!.effective).toBeGreaterThan(1);
      expect(target!.effective).toBeLessThan(64);
      expect(target!.weight).toBeGreaterThan(1 / 64);
      expect(target!.weight).toBeLessThan(1);
    }
    const { events: others } = await trained(folder(), smallConfig('points', { training: { images: 64 } }));
    for (const event of others) expect(event).not.toHaveProperty('target');
  });

  it('has the same held-out loss before its first step as one of flow matching', async () => {
    const untrained = [];
    for (const target of [{ kind: 'conditional' }, { kind: 'efm', candidates: 64 }] as const) {
      const { outcome } = await trained(folder(), smallConfig('points', { target, training: { images: 64 } }));
      untrained.push(outcome.untrained);
    }
    expect(untrained[1]).toEqual(untrained[0]);
  });

  it('is the same with any number of data workers, mirrored data among the candidates', async () => {
    const states = [];
    for (const workers of [0, 2]) {
      const data = { kind: 'images', source: 'portraits', label: 'gender', flip: true, workers } as const;
      const directory = folder();
      const target = { kind: 'efm', candidates: 8, bank: 'shared' } as const;
      await trained(directory, smallConfig('pictures', { data, target }));
      states.push(state(directory, 16));
    }
    expect(states[1].equals(states[0])).toBe(true);
  }, 240_000);

  it('is refused where a bank would hold more data than there are, of the smallest class for a model with labels', async () => {
    const target = { kind: 'efm', candidates: 400 } as const;
    await expect(trained(folder(), smallConfig('points', { target }))).rejects.toThrow(
      /^Expected `target.candidates` to be at most the 2[0-4]\d data of the smallest class; got 400\./,
    );
    const model = { kind: 'mlp', hidden: [8], labels: false } as const;
    await trained(folder(), smallConfig('points', { target, model, training: { images: 64 } }));
    await expect(
      trained(folder(), smallConfig('points', { target: { ...target, candidates: 501 }, model })),
    ).rejects.toThrow('at most the 500 data of the set; got 501');
  });
});

describe('a config of empirical targets', () => {
  const target = { kind: 'efm' } as const;

  it('draws 256 candidates for each datum by default', () => {
    expect(smallConfig('points', { target }).target).toEqual({
      kind: 'efm',
      candidates: 256,
      bank: 'per-sample',
      memoryBytes: 2 ** 32,
    });
  });

  it('is conditional where it does not say, as in runs from before', () => {
    const { target: _target, ...before } = smallConfig();
    expect(parseConfig(before, 'test').target).toEqual({ kind: 'conditional' });
  });

  it('goes with independent noise and a path without width', () => {
    expect(faultOf(() => smallConfig('points', { target, coupling: { kind: 'minibatch-ot' } }))).toContain(
      'The weights of `target.kind` efm are those of data paired with independent noise: expected `coupling.kind` to be independent; got minibatch-ot.',
    );
    expect(faultOf(() => smallConfig('points', { target, path: { kind: 'linear', sigma: 0.1 } }))).toContain(
      'expected `path.sigma` to be 0; got 0.1',
    );
    expect(
      faultOf(() => smallConfig('points', { target: { kind: 'conditional' }, coupling: { kind: 'loom' } })),
    ).toBeNull();
  });

  it('is refused with an unknown kind or field', () => {
    // As a file might have it.
    expect(faultOf(() => smallConfig('points', { target: { kind: 'emf' } as never }))).toContain('efm');
    expect(faultOf(() => smallConfig('points', { target: { kind: 'efm', candidate: 4 } as never }))).toContain(
      'candidates',
    );
  });
});
