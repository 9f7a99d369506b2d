import { setImmediate } from 'node:timers/promises';
import {
  maximalSimilarityBound,
  meanMaximalSimilarity,
  meanPairedSimilarity,
  similarityMatrix,
  type VectorRows,
} from '../../analysis/batch-similarity.ts';
import { estimateMean } from '../../numerics/estimate.ts';
import { normalsFromSeeds } from '../../numerics/normal.ts';
import { stream } from '../../numerics/stream.ts';
import type { BatchCell } from './batch-ot-claims.ts';
import type { ReproductionContext } from './reproduction.ts';

/** All that the numbers depend on. */
export interface BatchOtSettings {
  readonly seed: number;
  /** n, ascending; each divides the last. */
  readonly batchSizes: readonly number[];
  /** d, ascending. */
  readonly dimensions: readonly number[];
  /** Independent sets of vectors for each d. */
  readonly repetitions: number;
}

/**
 * Measures similarities for every number of dimensions and every batch size. A repetition draws as many sources and targets as the largest
 * batch has, and cuts them into the smaller ones; its mean counts as one value, so that standard errors rest on independent values
 * alone. Cells of the same dimensions share their vectors, those of different dimensions do not.
 */
export async function measureCells(
  settings: BatchOtSettings,
  { signal, onEvent }: Pick<ReproductionContext, 'signal' | 'onEvent'>,
): Promise<BatchCell[]> {
  const { batchSizes, dimensions, repetitions } = settings;
  const began = performance.now();
  const work = Array.from({ length: repetitions }, (_, repetition) =>
    dimensions.map((d) => ({ repetition, d })),
  ).flat();
  const measured = new Map(
    dimensions.map((d) => [d, batchSizes.map(() => ({ maximal: [] as number[], paired: [] as number[] }))]),
  );
  for (const [done, { repetition, d }] of work.entries()) {
    const matrix = drawSimilarities(settings, repetition, d);
    for (const [index, batch] of batchSizes.entries()) {
      // The event loop hears of an interrupt only between pieces of work.
      await setImmediate();
      signal.throwIfAborted();
      const cell = measured.get(d)![index]!;
      cell.maximal.push(meanMaximalSimilarity(matrix, batch));
      cell.paired.push(meanPairedSimilarity(matrix, batch));
    }
    const secondsLeft = ((performance.now() - began) / 1000 / (done + 1)) * (work.length - done - 1);
    onEvent({ kind: 'work', done: done + 1, count: work.length, unit: 'sets of vectors', secondsLeft });
  }
  return dimensions.flatMap((d) =>
    batchSizes.map((batch, index) => {
      const { maximal, paired } = measured.get(d)![index]!;
      return {
        dimensions: d,
        batch,
        bound: maximalSimilarityBound(batch, d),
        maximal: estimateMean(maximal),
        paired: estimateMean(paired),
      };
    }),
  );
}

function drawSimilarities({ seed, batchSizes }: BatchOtSettings, repetition: number, dimensions: number) {
  const count = batchSizes.at(-1)!;
  const draw = (purpose: string): VectorRows => {
    const words = stream(seed, `${purpose}-${dimensions}`, repetition);
    const seeds = Uint32Array.from({ length: count }, () => words.uint32());
    return { values: normalsFromSeeds(seeds, dimensions), count, dimensions };
  };
  return similarityMatrix(draw('batch-ot-source'), draw('batch-ot-target'));
}
