/** The points at which networks are held against the exact field, and the field itself. */
import type { PairVelocity } from '../analysis/field-error.ts';
import type { PathPairs } from '../analysis/lipschitz.ts';
import { ConfigError } from '../errors.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import { permutation } from '../numerics/permutation.ts';
import { stream } from '../numerics/stream.ts';
import type { BoundsPlan } from './bounds-request.ts';
import { openExactField, rowsOf } from './exact-field.ts';
import type { RunData } from './run-data.ts';

/** Noise and data, rows aligned, of which the points are made. */
export interface BoundsPoints extends PathPairs {
  readonly elements: number;
  /** Times at which all are taken. */
  readonly times: readonly number[];
  /** The pairs whose Jacobians are looked at, spread over all of them. */
  readonly jacobians: PathPairs;
}

/** Middles of equal parts of [0, 1]. */
export function middleTimes(count: number): number[] {
  return Array.from({ length: count }, (_, k) => (k + 0.5) / count);
}

/** Held-out latents, or those of training in an order that the seed fixes: at most as many as are wanted. */
async function targetsOf(data: RunData, { points, samples, seed }: BoundsPlan, name: string): Promise<Float32Array> {
  if (points === 'training') {
    const rows = permutation(data.count, stream(seed, 'bound-data')).slice(0, samples);
    return data.rows.read(rows, new Uint8Array(rows.length));
  }
  const heldOut = await data.heldOut(samples);
  if (heldOut !== null) return heldOut.target;
  throw new ConfigError({
    expected: `the data of \`${name}\` to hold some out, for points that training has not seen`,
    got: 'none',
    where: 'analyze bounds',
    remedy: '--points training, or --reference with a run whose data have a test split or `data.heldOut`',
  });
}

/** Some rows of pairs, evenly spread. */
function spreadPairs({ source, target }: PathPairs, wanted: number, elements: number): PathPairs {
  const pairs = target.length / elements;
  const count = Math.min(wanted, pairs);
  const take = (values: Float32Array) => {
    const taken = new Float32Array(count * elements);
    for (let i = 0; i < count; i++) {
      const row = Math.floor((i * pairs) / count);
      taken.set(values.subarray(row * elements, (row + 1) * elements), i * elements);
    }
    return taken;
  };
  return { source: take(source), target: take(target) };
}

/**
 * Data of a run with one noise each, the same for all times and runs.
 * @param name  what messages call the run.
 * @throws ConfigError if held-out data are wanted and there are none.
 */
export async function boundsPoints(data: RunData, plan: BoundsPlan, name: string): Promise<BoundsPoints> {
  const target = await targetsOf(data, plan, name);
  const { elements } = data.rows;
  const words = stream(plan.seed, 'bound-noise');
  const seeds = Uint32Array.from({ length: target.length / elements }, () => words.uint32());
  const pairs = { target, source: normalsFromSeeds(seeds, elements) };
  const jacobians = spreadPairs(pairs, plan.jacobians, elements);
  return { ...pairs, elements, times: middleTimes(plan.times), jacobians };
}

/** The exact field of a run's training data at fixed points: what was answered once is remembered. */
export interface RememberedField {
  /** Data of the field. */
  readonly count: number;
  readonly velocity: PairVelocity;
  release(): void;
}

/** Opens the exact field of all that training of a run may see; the points of a time and a range of pairs must always be the same. */
export async function openRememberedField({ rows }: RunData): Promise<RememberedField> {
  const exact = await openExactField(rowsOf(rows));
  const known = new Map<string, Float32Array>();
  return {
    count: exact.count,
    async velocity(x, time, { first, count }) {
      const key = `${time[0]} ${first} ${count}`;
      const before = known.get(key);
      if (before !== undefined) return before;
      const { velocity } = await exact.evaluate(x, time);
      known.set(key, velocity);
      return velocity;
    },
    release: () => exact.release(),
  };
}
