/** Whether samples are copies of data: how much nearer the nearest datum is than the second nearest. */
import { ShapeError } from '../errors.ts';
import { type Estimate, estimateMean } from '../numerics/estimate.ts';
import type { Neighbours } from './nearest-neighbours.ts';

/**
 * Ratio of the distances to the nearest and the second nearest datum below which a sample is called memorised: 1/3.
 *
 * Source: [yoon:23], section 3.
 */
export const memorisedBelow = 1 / 3;

/** What neighbours say about samples. */
export interface Memorisation {
  /** Distance to the nearest datum over that to the second nearest, in [0, 1]: float64 [samples]. */
  readonly ratios: Float64Array;
  readonly ratio: Estimate;
  /** Distance to the nearest datum, in latent units. */
  readonly distance: Estimate;
  /** Share of samples whose ratio is below `threshold`. */
  readonly memorised: Estimate;
  readonly threshold: number;
}

/**
 * Memorisation by the two nearest data of each sample. A sample that equals a datum has the ratio 0, also where the datum is there twice.
 * @param neighbours  of the samples among the data, two or more of each.
 * @throws ShapeError if there is but one neighbour a sample.
 */
export function memorisation(
  { distances, rows }: Neighbours,
  { samples, threshold = memorisedBelow }: { readonly samples: number; readonly threshold?: number },
): Memorisation {
  const count = rows.length / samples;
  if (!Number.isInteger(count) || count < 2) {
    throw new ShapeError({
      expected: 'two neighbours of each sample or more',
      got: `${rows.length} of ${samples} samples`,
      where: 'analysis/memorisation',
    });
  }
  const nearest = Float64Array.from({ length: samples }, (_, i) => distances[i * count]!);
  const ratios = nearest.map((distance, i) => (distance === 0 ? 0 : distance / distances[i * count + 1]!));
  return {
    ratios,
    ratio: estimateMean(ratios),
    distance: estimateMean(nearest),
    memorised: estimateMean(ratios.map((ratio) => Number(ratio < threshold))),
    threshold,
  };
}
