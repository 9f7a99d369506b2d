import { concat, constantTensor, cos, multiply, reshape, sin } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { ConfigError } from '../../errors.ts';

export interface TimeEmbeddingOptions {
  /** Factor on time before the frequencies. Default 1000: models of diffusion count a thousand steps. 1 reproduces LOOM-CFM's code. */
  readonly timeScale?: number;
  /** Longest period, in units of scaled time divided by 2 pi. Default 10,000. */
  readonly maxPeriod?: number;
  /** Whether the last frequency is 1 / maxPeriod itself: w_i = maxPeriod^(-i / (half - 1)). Default false. */
  readonly endpoint?: boolean;
  /** Whether sines come before cosines. Default false. */
  readonly sinesFirst?: boolean;
}

/**
 * Cosines, then sines, of time at geometrically spaced frequencies:
 * cos(s t w_i), sin(s t w_i) with w_i = maxPeriod^(-i / half), i = 0 .. half - 1, half = features / 2.
 *
 * Source: [vaswani:17], section 3.5, in the order of [dhariwal:21].
 * @param time  float [batch].
 * @param features  even.
 * @returns float [batch, features].
 * @throws ConfigError if `features` is not a positive even integer.
 */
export function timeEmbedding(
  time: Tensor,
  features: number,
  { timeScale = 1000, maxPeriod = 10_000, endpoint = false, sinesFirst = false }: TimeEmbeddingOptions = {},
): Tensor {
  if (!(Number.isInteger(features) && features > 0 && features % 2 === 0)) {
    throw new ConfigError({
      expected: '`features` to be a positive even integer',
      got: `${features}`,
      where: 'models/layers timeEmbedding',
    });
  }
  const half = features / 2;
  const intervals = endpoint ? half - 1 : half;
  const frequencies = Float64Array.from({ length: half }, (_, i) => maxPeriod ** (-i / intervals));
  const scaled = reshape(multiply(time, timeScale), [time.shape[0], 1]);
  const angles = multiply(scaled, constantTensor(frequencies, [half], time.dtype)); // [batch, half]
  return concat(sinesFirst ? [sin(angles), cos(angles)] : [cos(angles), sin(angles)], 1);
}
