/** How often something happened, and how often it may happen. */
import { ShapeError } from '../errors.ts';

/** A share with what it rests on. */
export interface Share {
  /** Times that it happened. */
  readonly hits: number;
  /** Independent trials. */
  readonly trials: number;
  /** hits / trials; NaN without a trial. */
  readonly share: number;
  /** Ends of the 95 % interval of the probability, in [0, 1]. */
  readonly low: number;
  readonly high: number;
}

/** 97.5 % quantile of the standard normal distribution: an interval of 95 % leaves half of the rest on either side. */
const normalQuantile = 1.959963984540054;

/**
 * A share with Wilson's score interval, in float64: the probabilities p with |share - p| <= z sqrt(p (1 - p)/n), z = 1.96. It stays
 * within [0, 1] and keeps a width where nothing or everything hit.
 *
 * Source: [wilson:27]. Without a trial every probability is possible.
 * @param hits    integer in [0, trials].
 * @param trials  integer of at least 0.
 * @throws ShapeError if these are not such counts.
 */
export function shareOf(hits: number, trials: number): Share {
  if (!(Number.isInteger(hits) && Number.isInteger(trials) && hits >= 0 && hits <= trials)) {
    throw new ShapeError({
      expected: 'integers 0 <= hits <= trials',
      got: `${hits} of ${trials}`,
      where: 'numerics/share',
    });
  }
  if (trials === 0) return { hits, trials, share: Number.NaN, low: 0, high: 1 };
  const share = hits / trials;
  const z2 = normalQuantile ** 2 / trials;
  const middle = (share + z2 / 2) / (1 + z2);
  const half = Math.sqrt(z2 * share * (1 - share) + (z2 / 2) ** 2) / (1 + z2);
  // At the ends the interval reaches 0 or 1 exactly; rounding would miss them.
  return { hits, trials, share, low: hits === 0 ? 0 : middle - half, high: hits === trials ? 1 : middle + half };
}
