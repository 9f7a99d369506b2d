/** Loss on held-out data with noise and times that never change, so that its values can be compared along a run. */
import type { HostArray } from '../engine/dtype.ts';
import type { HostArrays } from '../engine/stepper.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import { permutation } from '../numerics/permutation.ts';
import { stream } from '../numerics/stream.ts';

export interface HeldOutData {
  /** float32 [count, ...dims]. */
  readonly target: Float32Array;
  /** int32 [count]. */
  readonly labels: Int32Array;
}

/** Fixed inputs for the evaluation program. */
export interface ValidationSet {
  readonly count: number;
  /** float32 [count, ...dims]. */
  readonly target: Float32Array;
  readonly source: Float32Array;
  /** Inputs of each batch; the last is filled up with copies of its first row. */
  readonly batches: readonly HostArrays[];
}

interface ValidationOptions {
  readonly batch: number;
  readonly seed: number;
  /** Whether the model takes labels. */
  readonly labelled: boolean;
  readonly jitter: boolean;
}

/** Rows [start, start + batch) of [count, width] values; rows beyond the end repeat the first of them. */
function rowsFrom<A extends Float32Array | Int32Array>(
  values: A,
  width: number,
  { start, batch }: { readonly start: number; readonly batch: number },
): A {
  const count = values.length / width;
  // The array's own type is kept.
  const rows = (values instanceof Int32Array ? new Int32Array(batch * width) : new Float32Array(batch * width)) as A;
  for (let row = 0; row < batch; row++) {
    const from = start + row < count ? start + row : start;
    rows.set(values.subarray(from * width, (from + 1) * width), row * width);
  }
  return rows;
}

/** Values [count, width] with the width of a row. */
interface Column {
  readonly values: Float32Array | Int32Array;
  readonly width: number;
}

/**
 * A validation set: times are the midpoints of `count` equal parts of (0, 1) in a random order; order, noise and jitter are drawn
 * from the seed.
 */
export function validationSet(
  { target, labels }: HeldOutData,
  { batch, seed, labelled, jitter }: ValidationOptions,
): ValidationSet {
  const count = labels.length;
  const width = target.length / count;
  const words = stream(seed, 'validation-noise');
  const noise = () =>
    normalsFromSeeds(
      Uint32Array.from(labels, () => words.uint32()),
      width,
    );
  const source = noise();
  const order = permutation(count, stream(seed, 'validation-time'));
  const columns: Record<string, Column> = {
    target: { values: target, width },
    source: { values: source, width },
    time: { values: Float32Array.from(order, (part) => (part + 0.5) / count), width: 1 },
    ...(labelled ? { labels: { values: labels, width: 1 } } : {}),
    ...(jitter ? { jitter: { values: noise(), width } } : {}),
  };
  const batches: HostArrays[] = [];
  for (let start = 0; start < count; start += batch) {
    const rows = ([name, { values, width }]: [string, Column]) => [name, rowsFrom(values, width, { start, batch })];
    batches.push(Object.fromEntries(Object.entries(columns).map(rows)));
  }
  return { count, target, source, batches };
}

export interface ValidationResult {
  /** Mean loss over the samples. */
  readonly loss: number;
  /** Standard error of the mean. */
  readonly standardError: number;
}

function meanResult(losses: Float64Array): ValidationResult {
  const loss = losses.reduce((sum, one) => sum + one, 0) / losses.length;
  const variance = losses.reduce((sum, one) => sum + (one - loss) ** 2, 0) / Math.max(1, losses.length - 1);
  return { loss, standardError: Math.sqrt(variance / losses.length) };
}

/** Mean of an evaluation's losses over the set, in float64. */
export async function validationLoss(
  set: ValidationSet,
  evaluate: (inputs: HostArrays) => Promise<HostArray>,
): Promise<ValidationResult> {
  const losses = new Float64Array(set.count);
  let counted = 0;
  for (const inputs of set.batches) {
    for (const loss of await evaluate(inputs)) if (counted < set.count) losses[counted++] = Number(loss);
  }
  return meanResult(losses);
}

/**
 * Loss on the set of the best prediction that ignores its input: the mean velocity of the training data, mean(target) - 0.
 * @param mean  mean of the training targets, float64 [...dims].
 */
export function constantPredictorLoss({ target, source, count }: ValidationSet, mean: Float64Array): ValidationResult {
  const losses = new Float64Array(count);
  for (let i = 0; i < target.length; i++) {
    const error = target[i] - source[i] - mean[i % mean.length];
    losses[Math.floor(i / mean.length)] += (error * error) / mean.length;
  }
  return meanResult(losses);
}
