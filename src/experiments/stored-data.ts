/** The data of a config as they are stored, before they become latents. */
import type { ImageDataset } from '../data/image-dataset.ts';
import { hasTestSplit, openDataset, openVectors, type Split } from '../data/open-dataset.ts';
import type { VectorDataset } from '../data/vector-dataset.ts';
import type { RunConfig } from './config.ts';
import { openLatentVectors } from './latent-arrays.ts';

/** Row numbers spread evenly over a set. */
export function spread(count: number, wanted: number): Uint32Array {
  const rows = Math.min(count, wanted);
  return Uint32Array.from({ length: rows }, (_, i) => Math.floor((i * count) / rows));
}

/** Section `data` of images. */
export type ImageData = Extract<RunConfig['data'], { readonly kind: 'images' }>;

/** Options of the data folder, with those left out that apply to folders of images only and are at their default. */
export function datasetOptions({
  kind: _kind,
  flip: _flip,
  workers: _workers,
  size,
  channels,
  fit,
  strict,
  verify,
  cacheBytes,
  ...rest
}: ImageData) {
  const isPath = rest.source !== 'fashion' && rest.source !== 'portraits';
  const folder = { size, channels, strict, verify, cacheBytes, fit };
  return isPath || size !== null || channels !== null ? { ...rest, ...folder } : rest;
}

/** The data of a config as they are stored. */
export type StoredData = ImageDataset | VectorDataset;

/**
 * The training or the held-out data of a config as they are stored; `null` if none are held out.
 * @throws DataError or ConfigError if they cannot be read.
 */
export async function openStoredData({ data }: Pick<RunConfig, 'data'>, split: Split): Promise<StoredData | null> {
  if (data.kind === 'latents') return split === 'test' ? null : openLatentVectors(data);
  if (data.kind === 'vectors') {
    const { kind: _kind, ...options } = data;
    return split === 'test' && data.source.endsWith('.npz') ? null : openVectors({ ...options, split });
  }
  return split === 'test' && !hasTestSplit(data) ? null : openDataset({ ...datasetOptions(data), split });
}

/** What conventions call the data: source, part, and what of the config changes them. */
export function storedDataName({ data }: Pick<RunConfig, 'data'>, split: Split): string {
  if (data.kind === 'latents') return data.source ?? 'none';
  const { source } = data;
  const part = split === 'train' ? 'train' : 'held out';
  if (data.kind === 'vectors') return source.endsWith('.npz') ? source : `${source} ${part}, seed ${data.seed}`;
  const { size, channels, fit, heldOut, heldOutSeed } = data;
  const choices = [
    ...(size === null ? [] : [`${fit} to ${size}`]),
    ...(channels === null ? [] : [`${channels} channels`]),
    ...(source === 'fashion' || heldOut === null ? [] : [`held out ${heldOut} by seed ${heldOutSeed}`]),
  ];
  return [`${source} ${part}`, ...choices].join(', ');
}
