/** The distribution of times at which a network is trained. */
import type { RandomStream } from '../numerics/stream.ts';

/** Draws one time in (0, 1), also after rounding to float32. */
export type TimeSampling = (stream: RandomStream) => number;

/** Times uniform on (0, 1). */
export function uniformTime(): TimeSampling {
  return (stream) => stream.uniformFloat32();
}

/** Least distance of a time from 0 and 1: the gap between 1 and the float32 number below it. */
const margin = 2 ** -24;

/**
 * Times whose logit is normal: t = 1 / (1 + exp(-z)), z ~ N(mean, deviation^2); more of them in the middle. Times nearer than
 * 2^-24 to 0 or 1 are moved there, as a wide distribution would otherwise give 0 and 1 themselves. Source: [esser:24], eq. (19).
 * @param options.mean  0 by default: symmetric; positive leans towards data.
 */
export function logitNormalTime({
  mean = 0,
  deviation = 1,
}: {
  readonly mean?: number;
  readonly deviation?: number;
} = {}): TimeSampling {
  return (stream) => {
    const time = 1 / (1 + Math.exp(-(mean + deviation * stream.normal())));
    return Math.min(1 - margin, Math.max(margin, time));
  };
}
