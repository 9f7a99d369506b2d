/** The data whose exact field is pruned, row by row. */
import { drawGaussianMixture } from '../data/gaussian-mixture.ts';
import { openNpzVectors } from '../data/npz-arrays.ts';
import { openVectors } from '../data/open-dataset.ts';
import { toyDensities } from '../data/toy-densities.ts';
import type { VectorDataset } from '../data/vector-dataset.ts';
import { ConfigError, DataError } from '../errors.ts';
import type { KeptRows } from '../numerics/kept-rows.ts';
import { rowsOf } from './exact-field.ts';
import type { PruningData } from './pruning-request.ts';
import { openCouplingData } from './reproduce/coupling-data.ts';

/** The first rows of vectors in memory. */
function vectorRows({ vectors, features, count }: VectorDataset, wanted: number | null): KeptRows {
  return {
    count: Math.min(count, wanted ?? count),
    elements: features,
    read: async (first, rows) => vectors.slice(first * features, (first + rows) * features),
  };
}

/** Vectors or images of an .npz file. @throws DataError if it holds neither. */
async function npzRows(path: string, count: number | null): Promise<KeptRows> {
  let fault: unknown;
  try {
    return vectorRows(await openNpzVectors(path), count);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    fault = error;
  }
  return openImages(path, count).catch(() => Promise.reject(fault));
}

async function openImages(source: string, count: number | null): Promise<KeptRows> {
  return rowsOf((await openCouplingData(source, count)).data);
}

async function openSet(source: string, count: number | null, seed: number): Promise<KeptRows> {
  if (count !== null && !(Number.isInteger(count) && count >= 1)) {
    throw new ConfigError({
      expected: '`count` to be an integer of at least 1',
      got: String(count),
      where: 'experiments/pruning-data',
    });
  }
  if (toyDensities.some((name) => name === source)) {
    return vectorRows(await openVectors({ source, seed, ...(count === null ? {} : { count }) }), count);
  }
  return source.endsWith('.npz') ? npzRows(source, count) : openImages(source, count);
}

/**
 * Opens data: images as pixels in [-1, 1], vectors as they are.
 * @param seed  of drawn data.
 * @throws DataError or ConfigError if they cannot be opened.
 */
export async function openPruningData(data: PruningData, seed: number): Promise<KeptRows> {
  if (data.kind === 'set') return openSet(data.source, data.count, seed);
  return vectorRows(drawGaussianMixture({ ...data, seed }), null);
}
