/** Latents of images as arrays in a file, made elsewhere; or none, for networks whose weights come from elsewhere. */
import { openVectorLoader } from '../data/loader.ts';
import { openNpzVectors } from '../data/npz-arrays.ts';
import type { VectorDataset } from '../data/vector-dataset.ts';
import { elementCount } from '../engine/shape.ts';
import { ConfigError, DataError } from '../errors.ts';
import { vectorBatches } from '../training/batches.ts';
import type { RunConfig } from './config.ts';
import type { RunData } from './run-data.ts';

type LatentArrays = Extract<RunConfig['data'], { readonly kind: 'latents' }>;

function noSource(): ConfigError {
  return new ConfigError({
    expected: '`data.source` to be an .npz file with latents, to train on or to measure against',
    got: 'null',
    where: 'experiments/latent-arrays',
    remedy: '--set data.source=<latents.npz>',
  });
}

/** @throws DataError if a label is no class. */
function checkLabels({ labels, classes: found }: VectorDataset, { source, classes }: LatentArrays): void {
  if (classes === null) return;
  const stray = found === null ? -1 : labels.find((label) => label < 0 || label >= classes);
  if (stray === undefined) return;
  throw new DataError({
    expected: `\`${source}\` to hold labels from 0 to ${classes - 1}, as \`data.classes\` says`,
    got: found === null ? 'none' : `${stray}`,
    where: 'experiments/latent-arrays',
  });
}

/**
 * The latents of a config as vectors, channels first.
 * @throws ConfigError if it names no file; DataError if the file cannot be read or holds latents of another shape, or labels that are no
 *   classes.
 */
export async function openLatentVectors(data: LatentArrays): Promise<VectorDataset> {
  if (data.source === null) throw noSource();
  const set = await openNpzVectors(data.source, data.shape);
  checkLabels(set, data);
  return set;
}

/** Names of the classes of latents, their numbers; `null` for none. */
export function latentClasses({ classes }: LatentArrays): readonly string[] | null {
  return classes === null ? null : Array.from({ length: classes }, (_, label) => `${label}`);
}

/** Latents of a config as training sees them. Without a file they have a shape and classes, but no data. */
export async function openLatentArrays(data: LatentArrays, { seed, training }: RunConfig): Promise<RunData> {
  const set = data.source === null ? null : await openLatentVectors(data);
  const elements = elementCount(data.shape);
  const present = (): VectorDataset => {
    if (set === null) throw noSource();
    return set;
  };
  const read = async (rows: Uint32Array) => {
    const { vectors } = present();
    const chosen = new Float32Array(rows.length * elements);
    rows.forEach((row, i) => {
      chosen.set(vectors.subarray(row * elements, (row + 1) * elements), i * elements);
    });
    return chosen;
  };
  return {
    name: data.source ?? `latents of ${data.shape.join(' x ')}, none given`,
    shape: data.shape,
    classes: latentClasses(data),
    count: set?.count ?? 0,
    latent: null,
    section: { kind: 'identity' },
    release() {},
    skipped: 0,
    open: (imagesSeen) => vectorBatches(openVectorLoader(present(), { seed, batch: training.batchSize, imagesSeen })),
    heldOut: async () => null,
    rows: { count: set?.count ?? 0, elements, labels: set?.labels ?? new Int32Array(0), mirrored: false, read },
    async mean() {
      const { vectors, count } = present();
      const sums = new Float64Array(elements);
      for (let i = 0; i < vectors.length; i++) sums[i % elements] += vectors[i];
      return sums.map((sum) => sum / count);
    },
  };
}
