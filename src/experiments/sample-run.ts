/** Makes samples with a trained run and writes them where they are wanted. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { writeImageGrid } from '../data/image-grid.ts';
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import { CheckpointError, ConfigError } from '../errors.ts';
import type { NpyArray } from '../formats/npy.ts';
import { writeNpz } from '../formats/npz.ts';
import { parameterTypes } from '../models/parameters.ts';
import { createSampler, type LatentSamples, type SampleRequest as SamplerRequest } from '../sampling/sampler.ts';
import { type Checkpoint, latestCheckpoint, openCheckpoint, readCheckpoint } from '../training/checkpoint.ts';
import { buildModel, buildSolver } from './build.ts';
import type { RunConfig } from './config.ts';
import { openRunData, type RunData } from './run-data.ts';
import { readRunConfig, runDirectory } from './run-directory.ts';
import type { SampleOutcome, SampleRequest } from './run-types.ts';

interface TrainedRun {
  readonly config: RunConfig;
  readonly checkpoint: Checkpoint;
}

/** The run in a folder, or the run of which a folder is a checkpoint. @throws CheckpointError if nothing is trained yet. */
async function openRun(path: string): Promise<TrainedRun> {
  if (basename(dirname(path)) === 'checkpoints') {
    return { config: readRunConfig(dirname(dirname(path))), checkpoint: await openCheckpoint(path) };
  }
  const config = readRunConfig(path);
  const checkpoint = await latestCheckpoint(runDirectory(path).checkpoints);
  if (checkpoint !== null) return { config, checkpoint };
  throw new CheckpointError({
    expected: `\`${path}\` to hold a checkpoint`,
    got: 'none',
    where: 'experiments/sample-run',
    remedy: `training it first: train --resume ${path}`,
  });
}

/** Parameters by path: the averaged ones, or the raw ones. */
async function parametersOf(
  checkpoint: Checkpoint,
  group: 'ema' | 'parameters',
): Promise<Record<string, Float32Array>> {
  const tensors = await readCheckpoint(checkpoint, `${group}.`);
  // Parameters are float32 by the model's own types; the sampler's stepper checks them against those.
  return Object.fromEntries(
    [...tensors].map(([name, values]) => [name.slice(group.length + 1), values as Float32Array]),
  );
}

function requestFor(request: SampleRequest, config: RunConfig, classes: number | null): SamplerRequest {
  const sampling = { ...config.sampling, ...request.sampling };
  const inTurn = classes === null ? null : Int32Array.from(request.seeds, (_, i) => i % classes);
  if (request.labels !== null && request.labels.length !== request.seeds.length) {
    throw new ConfigError({
      expected: `a label for each of the ${request.seeds.length} seeds`,
      got: `${request.labels.length} labels`,
      where: 'experiments/sample-run',
    });
  }
  return {
    ...buildSolver(sampling.solver),
    seeds: Uint32Array.from(request.seeds),
    labels: request.labels === null ? inTurn : Int32Array.from(request.labels),
    guidance: sampling.guidance ?? 1,
    trajectory: request.trajectoryPath !== null,
    signal: request.signal,
  };
}

/** Batches of samples joined; `trajectory` has one array a time. */
interface Joined {
  readonly latents: Float32Array;
  readonly evaluations: Int32Array;
  readonly converged: boolean;
  readonly trajectory: readonly Float32Array[];
}

function join32(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let start = 0;
  for (const part of parts) {
    joined.set(part, start);
    start += part.length;
  }
  return joined;
}

function joinSamples(parts: readonly LatentSamples[]): Joined {
  const times = parts[0]?.trajectory?.length ?? 0;
  return {
    latents: join32(parts.map(({ latents }) => latents)),
    evaluations: Int32Array.from(parts.flatMap(({ evaluations }) => [...evaluations])),
    converged: parts.every(({ converged }) => converged),
    trajectory: Array.from({ length: times }, (_, time) =>
      join32(parts.map(({ trajectory }) => trajectory?.[time] ?? new Float32Array(0))),
    ),
  };
}

/** Samples as rows and times as columns: [count, times, ...dims] from one array a time. */
function byRows(trajectory: readonly Float32Array[], elements: number): Float32Array {
  const count = (trajectory[0]?.length ?? 0) / elements;
  const rows = new Float32Array(count * trajectory.length * elements);
  for (const [time, states] of trajectory.entries()) {
    for (let row = 0; row < count; row++) {
      rows.set(states.subarray(row * elements, (row + 1) * elements), (row * trajectory.length + time) * elements);
    }
  }
  return rows;
}

/** Writes the files that were asked for. @returns their paths. */
async function writeFiles(
  joined: Joined,
  request: SampleRequest,
  { data, labels }: { readonly data: RunData; readonly labels: Int32Array | null },
): Promise<string[]> {
  const { gridPath, columns, trajectoryPath, imagesPath, arraysPath, seeds } = request;
  const [channels, height, width] = data.shape;
  const { latent } = data;
  const written: string[] = [];
  if (latent !== null) {
    const stack = async (latents: Float32Array) => {
      const pixels = await latent.decode(latents);
      return { pixels, shape: [pixels.length / (channels * height * width), channels, height, width] as const };
    };
    if (gridPath !== null) {
      await writeImageGrid(gridPath, await stack(joined.latents), { columns });
      written.push(gridPath);
    }
    if (trajectoryPath !== null) {
      await writeImageGrid(trajectoryPath, await stack(byRows(joined.trajectory, channels * height * width)), {
        columns: joined.trajectory.length,
      });
      written.push(trajectoryPath);
    }
    if (imagesPath !== null) {
      const { pixels, shape } = await stack(joined.latents);
      const bytes = channels * height * width;
      for (const [i, seed] of seeds.entries()) {
        await writeImageGrid(
          join(imagesPath, `${seed}.png`),
          { pixels: pixels.subarray(i * bytes, (i + 1) * bytes), shape: [1, shape[1], shape[2], shape[3]] },
          { padding: 0 },
        );
      }
      written.push(imagesPath);
    }
  } else if (gridPath !== null || trajectoryPath !== null || imagesPath !== null) {
    throw new ConfigError({
      expected: 'samples that are images, to draw them',
      got: 'vectors',
      where: 'experiments/sample-run',
      remedy: 'an .npz file of arrays',
    });
  }
  if (arraysPath !== null) {
    const arrays = new Map<string, NpyArray>([
      ['samples', { dtype: 'float32', shape: [seeds.length, ...data.shape], data: Float32Array.from(joined.latents) }],
      ['seeds', { dtype: 'uint32', shape: [seeds.length], data: Uint32Array.from(seeds) }],
      ['evaluations', { dtype: 'int32', shape: [seeds.length], data: Int32Array.from(joined.evaluations) }],
    ]);
    if (labels !== null) arrays.set('labels', { dtype: 'int32', shape: [seeds.length], data: Int32Array.from(labels) });
    mkdirSync(dirname(arraysPath), { recursive: true });
    writeFileSync(arraysPath, writeNpz(arrays));
    written.push(arraysPath);
  }
  return written;
}

/**
 * Makes the samples of a request.
 * @throws ConfigError if labels, seeds or settings do not fit the run; CheckpointError if it has no whole checkpoint.
 */
export async function sample(request: SampleRequest): Promise<SampleOutcome> {
  const started = performance.now();
  const { config, checkpoint } = await openRun(request.directory);
  const data = await openRunData(config);
  const model = buildModel(config.model, { shape: data.shape, classes: data.classes?.length ?? null });
  const group = request.ema && config.training.ema !== null ? 'ema' : 'parameters';
  const runtime = await openNativeRuntime({ ...config.runtime, ...request.runtime });
  try {
    const sampler = await createSampler(runtime, {
      model,
      parameterTypes: parameterTypes(model.parameters),
      parameters: await parametersOf(checkpoint, group),
      batch: request.sampling.batchSize ?? config.sampling.batchSize,
    });
    const settings = requestFor(request, config, model.classes);
    const parts: LatentSamples[] = [];
    let done = 0;
    const begun = performance.now();
    for await (const part of sampler.sample(settings)) {
      parts.push(part);
      done += part.seeds.length;
      const secondsLeft = ((performance.now() - begun) / 1000 / done) * (request.seeds.length - done);
      request.onEvent({ kind: 'sample', done, count: request.seeds.length, secondsLeft });
    }
    sampler.release();
    const joined = joinSamples(parts);
    const paths = await writeFiles(joined, request, { data, labels: settings.labels });
    const perEvaluation = settings.guidance === 1 ? 1 : 2;
    const evaluations = (perEvaluation * joined.evaluations.reduce((sum, one) => sum + one, 0)) / request.seeds.length;
    return {
      samples: request.seeds.length,
      seconds: (performance.now() - started) / 1000,
      evaluations,
      converged: joined.converged,
      paths,
    };
  } finally {
    runtime.release();
  }
}
