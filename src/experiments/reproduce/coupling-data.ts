/** A set of images as couplings see it, without a run around it. */
import type { CouplingBatch } from '../../coupling/coupling.ts';
import type { CouplingData } from '../../coupling/whole-cost.ts';
import { assembleBatch } from '../../data/batch.ts';
import { subset } from '../../data/image-dataset.ts';
import { openLoader } from '../../data/loader.ts';
import { openDataset } from '../../data/open-dataset.ts';
import { elementCount } from '../../engine/shape.ts';
import { identityLatent } from '../../latent/identity.ts';

/** Latents of a set by row, and its batches in the order of training. */
export interface OpenCouplingData {
  readonly data: CouplingData;
  /** Batches from the start, without end; `close` ends them. */
  batches(seed: number, batch: number): { next(): Promise<CouplingBatch>; close(): Promise<void> };
}

/**
 * The first `count` training images of a set, as pixels in [-1, 1].
 * @throws DataError or ConfigError if the set cannot be opened.
 */
export async function openCouplingData(source: string, count: number | null): Promise<OpenCouplingData> {
  const whole = await openDataset({ source, ...(source === 'fashion' ? {} : { heldOut: null }) });
  const length = Math.min(count ?? whole.count, whole.count);
  const set = subset(
    whole,
    Uint32Array.from({ length }, (_, row) => row),
  );
  const latent = identityLatent([set.channels, set.height, set.width]);
  return {
    data: {
      count: set.count,
      elements: elementCount(latent.shape),
      labels: set.labels,
      mirrored: false,
      read: async (indices, flipped) => latent.encode((await assembleBatch(set.source, { indices, flipped })).pixels),
    },
    batches(seed, batch) {
      const loader = openLoader(set, { seed, batch });
      return {
        async next() {
          const { pixels, labels, indices, flipped } = await loader.next();
          return { target: await latent.encode(pixels), labels, indices, flipped };
        },
        close: () => loader.close(),
      };
    },
  };
}
