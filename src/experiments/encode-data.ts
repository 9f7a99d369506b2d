/** Encodes images by a trained autoencoder into a cache. */
import { join } from 'node:path';
import type { ImageDataset } from '../data/image-dataset.ts';
import { cacheRows, type LatentCache, rowBytes } from '../data/latent-cache.ts';
import { hasTestSplit, openDataset, type Split } from '../data/open-dataset.ts';
import { openAutoencoderRun } from './autoencoder-run.ts';
import type { EncodedPart, EncodeOutcome, EncodeRequest } from './encode-request.ts';
import { openOrEncode } from './latent-caches.ts';
import { cacheParts, usualCacheFolder } from './latent-data.ts';
import { datasetOptions, storedDataName } from './stored-data.ts';

function partOf(part: string, { header }: LatentCache): EncodedPart {
  return { part, images: header.count, bytes: cacheRows(header) * rowBytes(header) };
}

/**
 * Encodes the training and the held-out images of a request, or goes on with them.
 * @throws ConfigError if the images do not suit the autoencoder or the folder is a cache of something else; CheckpointError if nothing is
 *   trained yet; DataError if images or disk refuse; the signal's reason once it is aborted, and the next request goes on.
 */
export async function encode(request: EncodeRequest): Promise<EncodeOutcome> {
  const started = performance.now();
  const { data, dtype, flips, runtime } = request;
  const autoencoder = await openAutoencoderRun(request.autoencoder);
  const train = await openDataset({ ...datasetOptions(data), split: 'train' });
  const folder = request.folder ?? (await usualCacheFolder({ data, dtype }, train, autoencoder.hash));
  const cacheOf = (split: Split, set: ImageDataset) => {
    const order = { set, name: storedDataName({ data }, split), autoencoder, dtype, runtime };
    return openOrEncode(join(folder, cacheParts[split]), { ...order, flips: split === 'train' && flips }, request);
  };
  const trained = await cacheOf('train', train);
  const parts = [partOf('train', trained)];
  if (hasTestSplit(data)) {
    const test = await openDataset({ ...datasetOptions(data), split: 'test' });
    parts.push(partOf('held out', await cacheOf('test', test)));
  }
  const { header } = trained;
  return {
    folder,
    encoder: autoencoder.hash,
    dtype: header.dtype,
    flips: header.flips,
    shape: header.shape,
    normalization: header.moments,
    parts,
    seconds: (performance.now() - started) / 1000,
  };
}
