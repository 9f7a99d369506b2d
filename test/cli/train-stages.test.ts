import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { EvaluationRecord } from '../../src/experiments/evaluate-request.ts';
import { readAnyConfig } from '../../src/experiments/read-config.ts';
import { writeConfig } from '../../src/experiments/run-directory.ts';
import type { StageOutcomes, StagesRequest } from '../../src/experiments/stages-request.ts';
import { fakeRunner, finished, runCommand } from './run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-stages-'));
afterAll(() => rmSync(folder, { recursive: true }));

const record: EvaluationRecord = {
  generated: { kind: 'set', source: 'there', count: 2 },
  features: 'pixels',
  reference: 'portraits train',
  metrics: [
    {
      name: 'frechet-distance',
      value: 12.5,
      unit: 'squared feature units',
      samples: { generated: 2, reference: 3 },
      standardError: null,
      convention: 'features=pixels',
    },
  ],
};

const stages: StageOutcomes = {
  autoencoder: {
    directory: 'run/autoencoder',
    imagesSeen: 10,
    seconds: 61,
    interrupted: false,
    checkpoint: 'c',
    parameterCount: 7,
    discriminatorParameterCount: 0,
    latents: [4, 16, 16],
    reconstruction: null,
    curve: null,
    skippedImages: 0,
  },
  latents: {
    folder: 'run/latents',
    encoder: 'e',
    dtype: 'float16',
    flips: true,
    shape: [4, 16, 16],
    normalization: { mean: [0], deviation: [1] },
    parts: [],
    seconds: 1,
  },
  flow: { ...finished, directory: 'run/flow', curve: 'run/flow/training-curve.svg' },
  samples: {
    samples: 4,
    seconds: 2,
    evaluations: 40,
    converged: true,
    paths: [],
    grid: 'run/samples/grid.png',
    rowNames: ['light', 'dark'],
  },
  metrics: { record, seconds: 3, paths: ['run/metrics/metrics.json'] },
};

async function train(args: readonly string[], done: Partial<StageOutcomes> = stages) {
  const requests: StagesRequest[] = [];
  const { runner } = fakeRunner(() => Promise.reject(new Error('unexpected training')));
  const nothing: StageOutcomes = { autoencoder: null, latents: null, flow: null, samples: null, metrics: null };
  const interrupted = done !== stages;
  const staging = {
    ...runner,
    async trainStages(request: StagesRequest) {
      requests.push(request);
      return { directory: request.directory, interrupted, seconds: 100, stages: { ...nothing, ...done } };
    },
  };
  const result = await runCommand(['train', ...args], { runner: staging });
  return { ...result, request: requests[0] };
}

describe('train, of a config of stages', () => {
  it('does the stages and prints what each came to', async () => {
    const directory = join(folder, 'new');
    const { status, request, lines } = await train([
      'portraits-latent-dit',
      '--run',
      directory,
      '--seed',
      '4',
      '--json',
    ]);
    expect(status).toBe(0);
    expect(request).toMatchObject({
      directory,
      resume: false,
      config: readAnyConfig('portraits-latent-dit', { seed: 4 }),
    });
    const text = lines.slice(0, -1).join('\n');
    const titles = lines.filter((line) => /^[a-z]/.test(line));
    expect(titles).toEqual(['autoencoder', 'latents', 'flow and samples', 'metrics']);
    for (const part of ['run/latents', 'run/samples/grid.png', 'light, dark', '12.5', 'run/metrics/metrics.json']) {
      expect(text).toContain(part);
    }
    expect(JSON.parse(lines.at(-1)!)).toEqual({ directory, interrupted: false, seconds: 100, stages });
  });

  it('says how to go on after an interrupt, and goes on with the settings of the folder', async () => {
    const directory = join(folder, 'begun');
    const first = await train(['portraits-latent-dit', '--run', directory], { autoencoder: stages.autoencoder });
    expect(first.status).toBe(130);
    expect(first.errors).toContain(`flowloom train --resume ${directory}`);
    expect(first.lines.filter((line) => /^[a-z]/.test(line))).toEqual(['autoencoder']);
    const config = readAnyConfig('portraits-latent-dit', { set: ['stages.metrics=null'] });
    mkdirSync(directory);
    writeConfig(directory, config);
    expect((await train(['--resume', directory])).request).toMatchObject({ directory, resume: true, config });
  });

  it.each(['portraits-latent-dit', 'celeba-hq-latent-dit', 'ffhq-latent-dit', 'imagenet-latent-dit'])(
    'prints all stages of %s with --dry-run, without their data',
    async (name) => {
      const { status, request, lines } = await train([name, '--dry-run', '--json']);
      expect(status).toBe(0);
      expect(request).toBeUndefined();
      expect(JSON.parse(lines[0]!)).toEqual(readAnyConfig(name));
    },
  );
});
