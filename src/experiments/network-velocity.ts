/** The velocities of a trained network at any points, as analyses ask for them. */
import type { PairVelocity } from '../analysis/field-error.ts';
import type { Sampler } from '../sampling/sampler.ts';

/** With what a network is asked. */
export interface NetworkVelocityOptions {
  /** Label of each pair; `null` for none (the null class). Default null. */
  readonly labels?: Int32Array | null;
  /** Guidance weight; default 1, none. */
  readonly guidance?: number;
  readonly signal?: AbortSignal;
}

/** `size` numbers from `start` on, filled up with zeros to a whole batch of the network. */
function filled<A extends Float32Array | Float64Array>(values: A, size: number, start: number): A {
  const rows = (values instanceof Float32Array ? new Float32Array(size) : new Float64Array(size)) as A;
  rows.set(values.subarray(start, start + size));
  return rows;
}

/**
 * The velocity that a sampler's network gives, float32 [count, elements]. Requests of any size go through the network in its own batches, so
 * that rounding does not depend on them.
 */
export function networkVelocity(
  sampler: Sampler,
  { labels = null, guidance = 1, signal }: NetworkVelocityOptions = {},
): PairVelocity {
  return async (x, time, { first, count }) => {
    const elements = x.length / count;
    const request = {
      // Their noise is not looked at: the points are given.
      seeds: new Uint32Array(count),
      labels: labels?.slice(first, first + count) ?? null,
      guidance,
      ...(signal === undefined ? {} : { signal }),
    };
    const velocity = new Float32Array(x.length);
    let start = 0;
    for (const { field, batch, seeds } of sampler.problems(request)) {
      const points = filled(x, batch * elements, start * elements);
      const active = new Uint8Array(batch).fill(1, 0, seeds.length);
      const answer = await field(points, filled(time, batch, start), active);
      velocity.set(answer.subarray(0, seeds.length * elements), start * elements);
      start += seeds.length;
    }
    return velocity;
  };
}
