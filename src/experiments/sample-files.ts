/** Samples as files: pictures and arrays. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ImageStack, writeImageGrid } from '../data/image-grid.ts';
import { ConfigError } from '../errors.ts';
import type { NpyArray } from '../formats/npy.ts';
import { writeNpz } from '../formats/npz.ts';
import type { Latent } from '../latent/latent.ts';
import type { SampleRequest } from './run-types.ts';

/** Samples that are to be written; rows are aligned. */
export interface FinishedSamples {
  readonly seeds: Uint32Array;
  readonly labels: Int32Array | null;
  readonly evaluations: Int32Array;
  /** float32 [count, ...shape]. */
  readonly latents: Float32Array;
  /** The same at each time of a trajectory; empty where none was asked for. */
  readonly trajectory: readonly Float32Array[];
  /** Shape of one sample's latents. */
  readonly shape: readonly number[];
  /** The way back to pixels; null for vectors. */
  readonly latent: Latent | null;
}

type FileRequest = Pick<SampleRequest, 'gridPath' | 'columns' | 'trajectoryPath' | 'imagesPath' | 'arraysPath'>;

/** @throws ConfigError if pictures of vectors are asked for. */
export function checkFiles({ gridPath, trajectoryPath, imagesPath }: FileRequest, latent: Latent | null): void {
  if (latent !== null || [gridPath, trajectoryPath, imagesPath].every((path) => path === null)) return;
  throw new ConfigError({
    expected: 'samples that are images, to draw them',
    got: 'vectors',
    where: 'experiments/sample-files',
    remedy: 'an .npz file of arrays',
  });
}

/** Writes the files that are asked for. @returns their paths. */
export async function writeSampleFiles(samples: FinishedSamples, request: FileRequest): Promise<string[]> {
  const { gridPath, columns, trajectoryPath, imagesPath, arraysPath } = request;
  const { latents, trajectory } = samples;
  if (gridPath !== null) await writeImageGrid(gridPath, await imagesOf(latents, samples), { columns });
  if (trajectoryPath !== null) {
    const stack = await imagesOf(byRows(trajectory, samples.seeds.length), samples);
    await writeImageGrid(trajectoryPath, stack, { columns: trajectory.length });
  }
  if (imagesPath !== null) await writeImages(imagesPath, samples);
  if (arraysPath !== null) writeArrays(arraysPath, samples);
  return [gridPath, trajectoryPath, imagesPath, arraysPath].filter((path) => path !== null);
}

/** Latents [count, ...shape] as pixels. */
async function imagesOf(latents: Float32Array, { latent }: FinishedSamples): Promise<ImageStack> {
  // `checkFiles` has made sure that there is a way to pixels.
  const way = latent!;
  const [channels, height, width] = way.pixels;
  const pixels = await way.decode(latents);
  return { pixels, shape: [pixels.length / (channels * height * width), channels, height, width] };
}

/** Samples as rows and times as columns: [count, times, ...shape] from one array a time. */
function byRows(trajectory: readonly Float32Array[], count: number): Float32Array {
  const elements = trajectory[0].length / count;
  const rows = new Float32Array(count * trajectory.length * elements);
  for (const [time, states] of trajectory.entries()) {
    for (let row = 0; row < count; row++) {
      rows.set(states.subarray(row * elements, (row + 1) * elements), (row * trajectory.length + time) * elements);
    }
  }
  return rows;
}

async function writeImages(folder: string, samples: FinishedSamples): Promise<void> {
  const { pixels, shape } = await imagesOf(samples.latents, samples);
  const [count, channels, height, width] = shape;
  const bytes = pixels.length / count;
  for (const [i, seed] of samples.seeds.entries()) {
    const one = pixels.subarray(i * bytes, (i + 1) * bytes);
    const stack: ImageStack = { pixels: one, shape: [1, channels, height, width] };
    await writeImageGrid(join(folder, `${seed}.png`), stack, { padding: 0 });
  }
}

function writeArrays(path: string, { seeds, labels, evaluations, latents, shape }: FinishedSamples): void {
  const rows = [seeds.length];
  // Copies: an .npy array has memory of its own.
  const arrays = new Map<string, NpyArray>([
    ['samples', { dtype: 'float32', shape: [...rows, ...shape], data: Float32Array.from(latents) }],
    ['seeds', { dtype: 'uint32', shape: rows, data: Uint32Array.from(seeds) }],
    ['evaluations', { dtype: 'int32', shape: rows, data: Int32Array.from(evaluations) }],
  ]);
  if (labels !== null) arrays.set('labels', { dtype: 'int32', shape: rows, data: Int32Array.from(labels) });
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, writeNpz(arrays));
}
