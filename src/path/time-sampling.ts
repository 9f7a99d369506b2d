/** The distribution of times at which a network is trained. */
import type { RandomStream } from '../numerics/stream.ts';

/** Draws one time in (0, 1). */
export type TimeSampling = (stream: RandomStream) => number;

/** Times uniform on (0, 1). */
export function uniformTime(): TimeSampling {
  return (stream) => stream.uniformFloat32();
}

/**
 * Times whose logit is normal: t = 1 / (1 + exp(-z)), z ~ N(mean, deviation^2); more of them in the middle. Source: [esser:24], eq. (19).
 * @param options.mean  0 by default: symmetric; positive leans towards data.
 */
export function logitNormalTime({
  mean = 0,
  deviation = 1,
}: {
  readonly mean?: number;
  readonly deviation?: number;
} = {}): TimeSampling {
  return (stream) => 1 / (1 + Math.exp(-(mean + deviation * stream.normal())));
}
