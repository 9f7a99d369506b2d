import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { drawToyDensity } from '../../src/data/toy-densities.ts';
import { readConfig } from '../../src/experiments/read-config.ts';
import { readNpz } from '../../src/formats/npz.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { sampled, trained } from './small-runs.ts';

const folder = temporaryFolders();

/** Mean distance of points in the plane, [count, 2], to the nearest of others. */
function distanceToNearest(points: ArrayLike<number>, others: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < points.length; i += 2) {
    let least = Number.POSITIVE_INFINITY;
    for (let j = 0; j < others.length; j += 2) {
      least = Math.min(least, Math.hypot(points[i] - others[j], points[i + 1] - others[j + 1]));
    }
    sum += least;
  }
  return sum / (points.length / 2);
}

it('a few seconds of training carry noise to the two moons, all over them', async () => {
  const directory = folder();
  const set = ['training.images=307200', 'training.checkpoint.everyImages=null', 'runtime.threads=1'];
  const { outcome } = await trained(directory, readConfig('two-moons-mlp', { set }));
  expect(outcome.validation!.loss).toBeLessThan(outcome.constant!.loss - 3 * outcome.constant!.standardError);
  const count = 1000;
  const seeds = Array.from({ length: count }, (_, i) => i);
  const arraysPath = join(directory, 'samples.npz');
  const { outcome: sampling } = await sampled(directory, { seeds, arraysPath });
  expect(sampling.converged).toBe(true);
  const samples = readNpz(readFileSync(arraysPath)).get('samples')!.data as Float32Array;
  const { vectors } = drawToyDensity('two-moons', { count, seed: 1, split: 'test' });
  const noise = normalsFromSeeds(Uint32Array.from(seeds), 2);
  // Samples lie on the moons, and no part of the moons is left out.
  expect(distanceToNearest(samples, vectors)).toBeLessThan(0.35 * distanceToNearest(noise, vectors));
  const { vectors: more } = drawToyDensity('two-moons', { count, seed: 2, split: 'test' });
  expect(distanceToNearest(vectors, samples)).toBeLessThan(2.5 * distanceToNearest(vectors, more));
});
