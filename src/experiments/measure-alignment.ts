import {
  type Alignment,
  type AlignmentPairs,
  alignedAbove,
  alignment,
  closelyAlignedAbove,
  collapseTime,
  type Histogram,
  histogram,
  shareAbove,
} from '../analysis/alignment.ts';
import { type Estimate, estimateMean } from '../numerics/estimate.ts';
import type { KeptRows } from '../numerics/kept-rows.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import { permutation } from '../numerics/permutation.ts';
import { stream } from '../numerics/stream.ts';
import { openExactField } from './exact-field.ts';
import type { FieldData } from './field-data.ts';
import type { RunEvent } from './run-types.ts';
import { workProgress } from './work-progress.ts';

/** Parts of the histograms of cosines, over [-1, 1]. */
const histogramParts = 100;

export interface AlignmentPlan {
  /** Pairs of noise and a datum of the set. */
  readonly pairs: number;
  /** Ascending, in [0, 1). */
  readonly times: readonly number[];
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** The pairs at a time. */
export interface AlignmentAtTime {
  readonly time: number;
  /** cos of the angle between u*(xt, t) and x1 - x0. */
  readonly cosine: Estimate;
  /** Share of pairs whose cosine is above 0.9. */
  readonly aligned: number;
  /** Share of pairs whose cosine is above 0.99. */
  readonly closelyAligned: number;
  /** Weight of a pair's own datum in u*. */
  readonly ownWeight: Estimate;
  /** Share of pairs whose own datum has a weight above 0.9. */
  readonly determined: number;
  /** Of the cosines. */
  readonly histogram: Histogram;
}

/** What was measured of a set. */
export interface AlignmentResult {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
  /** Data. */
  readonly count: number;
  readonly pairs: number;
  readonly times: readonly AlignmentAtTime[];
  /** First time at which more than half of the pairs are aligned; null: none of the times. */
  readonly collapseTime: number | null;
  /** First time at which more than half of the pairs have a cosine above 0.99; null: none of the times. */
  readonly closeTime: number | null;
  /** First time at which more than half of the pairs have an own weight above 0.9; null: none of the times. */
  readonly determinedTime: number | null;
  readonly seconds: number;
}

/** Some rows of the data, in their order. */
export async function gatherRows(rows: KeptRows, numbers: Uint32Array): Promise<Float32Array> {
  const gathered = new Float32Array(numbers.length * rows.elements);
  for (const [i, number] of numbers.entries()) gathered.set(await rows.read(number, 1), i * rows.elements);
  return gathered;
}

/** Data in random order, again from the start where more are wanted than there are, each with noise of its own. */
export async function drawPairs(rows: KeptRows, count: number, seed: number): Promise<AlignmentPairs> {
  const order = permutation(rows.count, stream(seed, 'analysis-data'));
  const numbers = Uint32Array.from({ length: count }, (_, i) => order[i % order.length]!);
  return { rows: numbers, target: await gatherRows(rows, numbers), source: drawNoise(rows.elements, count, seed) };
}

/** Noise for analyses: float32 [count, elements]. */
export function drawNoise(elements: number, count: number, seed: number): Float32Array {
  const words = stream(seed, 'analysis-noise');
  return normalsFromSeeds(
    Uint32Array.from({ length: count }, () => words.uint32()),
    elements,
  );
}

function atTime(time: number, { cosines, ownWeights }: Alignment): AlignmentAtTime {
  return {
    time,
    cosine: estimateMean(cosines),
    aligned: shareAbove(cosines, alignedAbove),
    closelyAligned: shareAbove(cosines, closelyAlignedAbove),
    ownWeight: estimateMean(ownWeights),
    determined: shareAbove(ownWeights, alignedAbove),
    histogram: histogram(cosines, { from: -1, to: 1, parts: histogramParts }),
  };
}

/**
 * Measures how far the exact field of a set is aligned with the velocities of pairs, time by time. The data of the pairs are of the set, so
 * that they are in the field's sum.
 * @throws the signal's reason if it aborts.
 */
export async function measureAlignment(data: FieldData, plan: AlignmentPlan): Promise<AlignmentResult> {
  const { pairs, times, seed, signal, onEvent } = plan;
  const began = performance.now();
  const { rows, name, shape } = data;
  const progress = workProgress(onEvent, { what: `alignment of ${name}`, unit: 'times' });
  const field = await openExactField(rows);
  try {
    const drawn = await drawPairs(rows, pairs, seed);
    const results: AlignmentAtTime[] = [];
    for (const [i, time] of times.entries()) {
      signal.throwIfAborted();
      results.push(atTime(time, await alignment(field, drawn, time)));
      progress(i + 1, times.length);
    }
    const firstTime = (of: (one: AlignmentAtTime) => number) => collapseTime(times, results.map(of));
    return {
      name,
      shape,
      elements: rows.elements,
      count: rows.count,
      pairs,
      times: results,
      collapseTime: firstTime(({ aligned }) => aligned),
      closeTime: firstTime(({ closelyAligned }) => closelyAligned),
      determinedTime: firstTime(({ determined }) => determined),
      seconds: (performance.now() - began) / 1000,
    };
  } finally {
    field.release();
  }
}
