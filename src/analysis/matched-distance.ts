/** Distance between two models by their samples of the same noise. */
import { ShapeError } from '../errors.ts';
import { type Estimate, estimateMean } from '../numerics/estimate.ts';

/** How far apart the samples of two models are that began with the same noise. */
export interface MatchedDistance {
  /** sqrt(E|a - b|^2), in latent units: pairing by noise is one coupling of the two distributions, so their W2 is not above it. */
  readonly rootMeanSquare: number;
  /** |a - b|^2 over the pairs. */
  readonly square: Estimate;
}

/**
 * Root mean square distance of samples with equal seeds.
 * @param first   [count, elements].
 * @param second  [count, elements], rows aligned with `first`.
 * @throws ShapeError if the sizes differ or do not fit `elements`.
 */
export function matchedDistance(first: Float32Array, second: Float32Array, elements: number): MatchedDistance {
  if (first.length !== second.length || first.length === 0 || first.length % elements !== 0) {
    throw new ShapeError({
      expected: `two sets of as many samples with ${elements} elements`,
      got: `${first.length} and ${second.length} numbers`,
      where: 'analysis/matched-distance',
    });
  }
  const squares = new Float64Array(first.length / elements);
  for (let i = 0; i < first.length; i++) squares[Math.floor(i / elements)]! += (first[i]! - second[i]!) ** 2;
  const square = estimateMean(squares);
  return { rootMeanSquare: Math.sqrt(square.mean), square };
}
