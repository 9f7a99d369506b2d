/** How much nearer the nearest point is than the second nearest: small for copies. */
import { ShapeError } from '../errors.ts';
import type { Neighbours } from './nearest-neighbours.ts';

/**
 * Ratio below which something is called memorised: 1/3.
 *
 * Source: [yoon:23], section 3.
 */
export const memorisedBelow = 1 / 3;

/**
 * Distance to the nearest point over that to the second nearest, in [0, 1]; 0 for a copy of a point, also where that is there twice.
 * @returns float64 [queries].
 * @throws ShapeError if there is but one neighbour of each.
 */
export function nearestRatios({ k, squaredDistances }: Neighbours): Float64Array {
  if (k < 2) {
    throw new ShapeError({
      expected: 'two neighbours of each query or more',
      got: `${k}`,
      where: 'numerics/nearest-ratio',
    });
  }
  return Float64Array.from({ length: squaredDistances.length / k }, (_, i) => {
    const [first, second] = [squaredDistances[i * k]!, squaredDistances[i * k + 1]!];
    return second === 0 ? 0 : Math.sqrt(first / second);
  });
}
