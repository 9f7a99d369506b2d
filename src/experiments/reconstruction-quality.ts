/** How near an autoencoder brings held-out pictures to themselves: loss, PSNR, SSIM, use of codes, and the pictures side by side. */
import { writeImageGrid } from '../data/image-grid.ts';
import { elementCount } from '../engine/shape.ts';
import type { Metric } from '../metrics/metric.ts';
import { peakSignalToNoise } from '../metrics/peak-signal-to-noise.ts';
import { structuralSimilarity } from '../metrics/structural-similarity.ts';
import type { ImageAutoencoder } from '../models/image-autoencoder.ts';
import type { AutoencoderTrainer } from '../training/autoencoder-trainer.ts';
import type { HeldOutPictures } from './autoencoder-data.ts';

/** Held-out pictures through the averaged parameters. */
export interface ReconstructionQuality {
  /** Mean loss, without the adversary's, and its standard error. */
  readonly loss: number;
  readonly standardError: number;
  readonly psnr: Metric;
  readonly ssim: Metric;
  /** Codes that the pictures use, of how many, and exp of the entropy of their choices; `null` without a codebook. */
  readonly codes: { readonly used: number; readonly of: number; readonly perplexity: number } | null;
  /** Reconstructions, uint8 like the pictures. */
  readonly pixels: Uint8Array;
}

/** What reconstructs. */
export interface Reconstructor {
  readonly trainer: Pick<AutoencoderTrainer, 'reconstruct'>;
  readonly network: Pick<ImageAutoencoder, 'input' | 'latents' | 'codebook'>;
  /** Pictures of one call. */
  readonly batch: number;
}

/** Bytes of pictures in [-1, 1]: halves are rounded up. */
function bytesOf(pictures: Float32Array): Uint8Array {
  // Clipped by the graph already, so that rounding stays in 0..255.
  return Uint8Array.from(pictures, (value) => Math.round((value + 1) * 127.5));
}

/** Measures reconstructions. A last batch that is not full is filled up with copies, which do not count. */
export async function measureReconstruction(
  { pixels, count, name }: HeldOutPictures,
  { trainer, network, batch }: Reconstructor,
): Promise<ReconstructionQuality> {
  const { shape } = network.input;
  const elements = elementCount(shape);
  const [, ...grid] = network.latents.shape;
  const positions = elementCount(grid);
  const made = new Uint8Array(pixels.length);
  const losses = new Float64Array(count);
  const choices = new Float64Array(network.codebook?.codes ?? 0);
  for (let start = 0; start < count; start += batch) {
    const rows = Math.min(batch, count - start);
    const given = new Uint8Array(batch * elements);
    for (let row = 0; row < batch; row++) {
      const from = (row < rows ? start + row : start) * elements;
      given.set(pixels.subarray(from, from + elements), row * elements);
    }
    const result = await trainer.reconstruct(given);
    losses.set(result.losses.subarray(0, rows), start);
    made.set(bytesOf(result.pictures.subarray(0, rows * elements)), start * elements);
    for (const code of result.indices?.subarray(0, rows * positions) ?? []) choices[Number(code)]++;
  }
  const pairs = { pictures: made, originals: pixels, shape };
  const loss = losses.reduce((sum, one) => sum + one, 0) / count;
  const variance = losses.reduce((sum, one) => sum + (one - loss) ** 2, 0) / Math.max(1, count - 1);
  const of = (metric: Metric): Metric => ({ ...metric, convention: `data=${name}; ${metric.convention}` });
  return {
    loss,
    standardError: Math.sqrt(variance / count),
    psnr: of(peakSignalToNoise(pairs)),
    ssim: of(structuralSimilarity(pairs)),
    codes: network.codebook === null ? null : { ...network.codebook.usage(choices), of: network.codebook.codes },
    pixels: made,
  };
}

/** Pictures of a row of the grid, at most. */
const COLUMNS = 12;

/** Writes rows of originals, each above the row of its reconstructions: at most 36 pictures, spread over those held out. */
export async function writeReconstructionGrid(
  path: string,
  { pixels, count }: HeldOutPictures,
  { made, shape }: { readonly made: Uint8Array; readonly shape: readonly [number, number, number] },
): Promise<void> {
  const elements = elementCount(shape);
  const columns = Math.min(COLUMNS, count);
  const rows = Math.min(3, Math.floor(count / columns));
  const shown = columns * rows;
  const grid = new Uint8Array(2 * shown * elements);
  for (let i = 0; i < shown; i++) {
    const from = Math.floor((i * count) / shown) * elements;
    const row = 2 * Math.floor(i / columns);
    for (const [below, source] of [pixels, made].entries()) {
      const to = (row + below) * columns + (i % columns);
      grid.set(source.subarray(from, from + elements), to * elements);
    }
  }
  await writeImageGrid(path, { pixels: grid, shape: [2 * shown, ...shape] }, { columns });
}
