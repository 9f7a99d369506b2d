/** Training data on the way to a step: loader -> latents -> coupling -> times, labels and noise as the step's inputs. */
import type { EfmTarget, TargetReport } from '../closed-form/efm-batch.ts';
import type { Coupling, Pairing, PairingReport } from '../coupling/coupling.ts';
import type { Batch, VectorBatch } from '../data/batch.ts';
import type { Loader } from '../data/loader.ts';
import type { HostArrays } from '../engine/stepper.ts';
import type { Latent } from '../latent/latent.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import { stream } from '../numerics/stream.ts';
import type { TimeSampling } from '../path/time-sampling.ts';

/** Latents of a batch of data. */
export interface LatentBatch {
  /** float32 [batch, ...dims]. */
  readonly target: Float32Array;
  readonly labels: Int32Array;
  readonly indices: Uint32Array;
  readonly flipped: Uint8Array;
}

/** Batches without end, each determined by the number of images before it. */
export interface LatentBatches {
  next(): Promise<LatentBatch>;
  /** Image files that could not be read and were replaced, by path. */
  readonly skipped: number;
  close(): Promise<void>;
}

/** Batches of images as latents. */
export function imageBatches(loader: Loader<Batch>, latent: Latent): LatentBatches {
  return {
    async next() {
      const { pixels, labels, indices, flipped } = await loader.next();
      return { target: await latent.encode(pixels), labels, indices, flipped };
    },
    get skipped() {
      return loader.skipped.size;
    },
    close: () => loader.close(),
  };
}

/** Batches of vectors, which are their own latents. */
export function vectorBatches(loader: Loader<VectorBatch>): LatentBatches {
  return {
    async next() {
      const { vectors, labels, indices, flipped } = await loader.next();
      return { target: vectors, labels, indices, flipped };
    },
    skipped: 0,
    close: () => loader.close(),
  };
}

export interface PreparationParts {
  readonly coupling: Coupling;
  /** Steps whose batches are paired at once; default 1. */
  readonly pairingSteps?: number;
  readonly time: TimeSampling;
  /** Targets of empirical flow matching; `null` or absent for the path's own velocity. */
  readonly efm?: EfmTarget | null;
  /** Number of classes; `null` for a model without labels. */
  readonly classes: number | null;
  /** Probability of replacing a label by the null class. */
  readonly labelDropout: number;
  /** Whether the path takes jitter. */
  readonly jitter: boolean;
  readonly seed: number;
}

/** Inputs of one batch, and how to make the pairing's change to the coupling's state permanent. */
export interface PreparedBatch {
  readonly inputs: HostArrays;
  readonly commit: () => void;
  /** What the coupling did with the batches that it paired at once, this one among them; `null` or absent: nothing. */
  readonly report?: PairingReport | null;
  /** How stochastic the targets are, where they are those of empirical flow matching. */
  readonly target?: TargetReport;
}

/**
 * Inputs of the batch that starts at `imagesSeen`: all randomness is a function of the seed and that number.
 * Labels are dropped for classifier-free guidance as in [ho:22], algorithm 1.
 */
export function batchInputs(
  { source, target, labels }: Pick<Pairing, 'source' | 'target' | 'labels'>,
  imagesSeen: number,
  { time, classes, labelDropout, jitter, seed }: PreparationParts,
): HostArrays {
  const times = stream(seed, 'training-time', imagesSeen);
  const dropping = stream(seed, 'label-dropout', imagesSeen);
  const inputs: Record<string, Float32Array | Int32Array> = {
    source,
    target,
    time: Float32Array.from(labels, () => time(times)),
  };
  if (classes !== null) inputs.labels = labels.map((label) => (dropping.uniform() < labelDropout ? classes : label));
  if (jitter) {
    const words = stream(seed, 'path-jitter', imagesSeen);
    inputs.jitter = normalsFromSeeds(
      Uint32Array.from(labels, () => words.uint32()),
      target.length / labels.length,
    );
  }
  return inputs;
}

/** The rows of a batch: noise and data side by side, and which data they are. */
export type PairedRows = Pick<Pairing, 'source' | 'target' | 'labels'> & Pick<LatentBatch, 'indices' | 'flipped'>;

/** Inputs of a batch as `batchInputs` has them, with the correction of its velocities where the target is empirical. */
export async function prepareBatch(
  rows: PairedRows,
  imagesSeen: number,
  parts: PreparationParts,
): Promise<Pick<PreparedBatch, 'inputs' | 'target'>> {
  const inputs = batchInputs(rows, imagesSeen, parts);
  const { efm = null, classes } = parts;
  if (efm === null) return { inputs };
  const { source, target, indices, flipped } = rows;
  const told = inputs.labels as Int32Array | undefined; // int32, as `batchInputs` makes them
  const labels = Array.from(indices, (_, row) => {
    const label = told?.[row] ?? null;
    return label === classes ? null : label;
  });
  const time = inputs.time as Float32Array; // float32, likewise
  const { correction, report } = await efm.correct({ source, target, time, indices, flipped, labels }, imagesSeen);
  return { inputs: { ...inputs, correction }, target: report };
}
