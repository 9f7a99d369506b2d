/** Runs that end within a second or two. */
import { parseConfig, type RunConfig, type RunConfigInput } from '../../src/experiments/config.ts';
import { runner } from '../../src/experiments/run.ts';
import type { RunEvent, SampleRequest, TrainRequest } from '../../src/experiments/run-types.ts';

const points: RunConfigInput = {
  name: 'points',
  data: { kind: 'vectors', source: 'two-moons', count: 500 },
  model: { kind: 'mlp', hidden: [16, 16], activation: 'silu', labels: true },
  training: {
    images: 640,
    batchSize: 32,
    optimizer: { kind: 'adamw', learningRate: 1e-2 },
    schedule: { kind: 'cosine', warmupImages: 64 },
    ema: { kind: 'half-life', halfLifeImages: 320 },
    validation: { everyImages: 192, images: 50 },
    checkpoint: { everyImages: 128, keep: 2 },
    log: { everyImages: 32 },
  },
  sampling: { solver: { kind: 'midpoint', steps: 4 }, batchSize: 8 },
  runtime: { threads: 1 },
};

const pictures: RunConfigInput = {
  ...points,
  name: 'pictures',
  data: { kind: 'images', source: 'portraits', label: 'gender' },
  model: { kind: 'dit', patch: 16, width: 16, depth: 1, heads: 2 },
  training: {
    ...points.training,
    images: 16,
    batchSize: 4,
    schedule: { kind: 'constant' },
    checkpoint: { everyImages: null },
    log: { everyImages: 4 },
  },
};

const bases = { points, pictures };

/** A config of two moons and an MLP, or of portraits and a DiT; `training` changes fields of that section. */
export function smallConfig(
  kind: keyof typeof bases = 'points',
  { training = {}, ...sections }: Omit<Partial<RunConfigInput>, 'training'> & { readonly training?: object } = {},
): RunConfig {
  const base = bases[kind];
  return parseConfig({ ...base, ...sections, training: { ...base.training, ...training } }, 'test');
}

/** Trains and collects the events. */
export async function trained(directory: string, config: RunConfig, change: Partial<TrainRequest> = {}) {
  const events: RunEvent[] = [];
  const { signal } = new AbortController();
  const onEvent = (event: RunEvent) => void events.push(event);
  const outcome = await runner.train({ config, directory, resume: false, signal, onEvent, ...change });
  return { outcome, events };
}

/** Samples; without files unless some are asked for. */
export async function sampled(model: string, change: Partial<SampleRequest> = {}) {
  const events: RunEvent[] = [];
  const outcome = await runner.sample({
    model,
    seeds: [0, 1, 2],
    labels: null,
    sampling: {},
    ema: true,
    gridPath: null,
    columns: 2,
    trajectoryPath: null,
    imagesPath: null,
    arraysPath: null,
    signal: new AbortController().signal,
    onEvent: (event) => void events.push(event),
    ...change,
  });
  return { outcome, events };
}
