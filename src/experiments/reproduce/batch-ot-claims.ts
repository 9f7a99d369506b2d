/** What [matityahu:24], appendix B, claims of similarities within a batch, held against measured ones. */
import { leastBatchFor } from '../../analysis/batch-similarity.ts';
import type { Estimate } from '../../numerics/estimate.ts';

/** Measured similarities of one batch size in one number of dimensions, with the bound. */
export interface BatchCell {
  readonly dimensions: number;
  readonly batch: number;
  /** sqrt(2 log n / d), eq. (24). */
  readonly bound: number;
  /** Similarity of a source with the most similar target of the batch, which the bound is about. */
  readonly maximal: Estimate;
  /** Similarity of pairs of the optimal pairing of the batch. */
  readonly paired: Estimate;
}

/** Cell by its place. */
export interface CellPlace {
  readonly dimensions: number;
  readonly batch: number;
}

/** Whether the bound holds, and how near it is. */
export interface BoundVerdict {
  /** Cells whose maximal similarity is above the bound by more than its error allows. */
  readonly violations: readonly CellPlace[];
  /** Where the measured maximal similarity is the largest part of the bound. */
  readonly tightest: CellPlace & { readonly ratio: number };
  /** Where it is the smallest part. */
  readonly loosest: CellPlace & { readonly ratio: number };
}

/** Standard errors above the bound that count as a violation. */
export const toleratedErrors = 4;

/** The similarity at which the lower bound of the velocity, 1 - 2 <x1*, x0> in eq. (6), vanishes. */
export const vanishing = 0.5;

/** Holds the bound against every cell; a measured value that is not a number violates it. */
export function judgeBound(cells: readonly BatchCell[]): BoundVerdict {
  const ratios = cells
    .map(({ dimensions, batch, bound, maximal }) => ({ dimensions, batch, ratio: maximal.mean / bound }))
    .sort((a, b) => a.ratio - b.ratio);
  const violations = cells
    .filter(({ bound, maximal }) => !(maximal.mean - toleratedErrors * (maximal.standardError || 0) <= bound))
    .map(({ dimensions, batch }) => ({ dimensions, batch }));
  return { violations, tightest: ratios.at(-1)!, loosest: ratios[0]! };
}

/** Batch sizes at which similarities of 1/2 are reached in some dimensions. */
export interface SimilarityNeeded {
  readonly dimensions: number;
  /** From which the bound allows 1/2: the paper's e^(d/8), eq. (25). */
  readonly bound: number;
  /** Where the most similar target reaches 1/2, null if no measured batch does. */
  readonly maximal: number | null;
  /** Where the pairs of the optimal pairing reach it, null if no measured batch does. */
  readonly paired: number | null;
  /** From which the bound allows 1, without which no velocity vanishes: e^(d/2). */
  readonly boundOfOne: number;
}

/** The batch that 1/2 takes, by dimension in the order of the cells. */
export function similaritiesNeeded(cells: readonly BatchCell[]): SimilarityNeeded[] {
  return [...new Set(cells.map(({ dimensions }) => dimensions))].map((dimensions) => {
    const own = cells.filter((cell) => cell.dimensions === dimensions).sort((a, b) => a.batch - b.batch);
    const reached = (of: (cell: BatchCell) => Estimate) =>
      batchReaching(
        vanishing,
        own.map((cell) => [cell.batch, of(cell).mean] as const),
      );
    return {
      dimensions,
      bound: leastBatchFor(vanishing, dimensions),
      maximal: reached(({ maximal }) => maximal),
      paired: reached(({ paired }) => paired),
      boundOfOne: leastBatchFor(1, dimensions),
    };
  });
}

/** Batch size at which a similarity is first reached, on straight lines over log n between the measured ones; null beyond them. */
function batchReaching(level: number, points: readonly (readonly [number, number])[]): number | null {
  const index = points.findIndex(([, similarity]) => similarity >= level);
  if (index < 0) return null;
  const [batch, similarity] = points[index]!;
  if (index === 0) return batch;
  const [smaller, below] = points[index - 1]!;
  const part = (level - below) / (similarity - below);
  return smaller * (batch / smaller) ** part;
}
