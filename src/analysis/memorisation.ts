/** Whether samples are copies of data: how much nearer the nearest datum is than the second nearest. */
import { type Estimate, estimateMean } from '../numerics/estimate.ts';
import type { Neighbours } from '../numerics/nearest-neighbours.ts';
import { memorisedBelow, nearestRatios } from '../numerics/nearest-ratio.ts';

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

/** Distance to the nearest of each: float64 [samples]. */
export function nearestDistances({ k, squaredDistances }: Neighbours): Float64Array {
  return Float64Array.from({ length: squaredDistances.length / k }, (_, i) => Math.sqrt(squaredDistances[i * k]!));
}

/**
 * Memorisation by the two nearest data of each sample. A sample that equals a datum has the ratio 0, also where the datum is there twice.
 * @param neighbours  of the samples among the data, two or more of each.
 * @throws ShapeError if there is but one neighbour a sample.
 */
export function memorisation(
  neighbours: Neighbours,
  { threshold = memorisedBelow }: { readonly threshold?: number } = {},
): Memorisation {
  const ratios = nearestRatios(neighbours);
  return {
    ratios,
    ratio: estimateMean(ratios),
    distance: estimateMean(nearestDistances(neighbours)),
    memorised: estimateMean(ratios.map((ratio) => Number(ratio < threshold))),
    threshold,
  };
}
