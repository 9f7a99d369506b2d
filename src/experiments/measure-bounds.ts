/** What of one run its bound is made of: velocity errors, spectral norms, and samples to be compared with those of others. */
import { fieldError } from '../analysis/field-error.ts';
import { openJacobianProducts } from '../analysis/jacobian-products.ts';
import { type LipschitzEstimate, lipschitzOverTime } from '../analysis/lipschitz.ts';
import type { Model } from '../models/model.ts';
import type { Estimate } from '../numerics/estimate.ts';
import { createSampler, type Sampler } from '../sampling/sampler.ts';
import type { BoundsPoints, RememberedField } from './bounds-points.ts';
import type { BoundedRun, BoundsPlan, VelocityErrorAtTime } from './bounds-request.ts';
import { buildSolver } from './build.ts';
import { networkVelocity } from './network-velocity.ts';
import type { ParameterGroup } from './run-parameters.ts';
import { type OpenNetwork, type TrainedRun, withNetwork } from './trained-run.ts';

/** Which parts of the measurement a run takes. */
export interface MeasuredParts {
  readonly errors: boolean;
  readonly lipschitz: boolean;
}

/** How much of a part is done. */
export interface BoundsProgress {
  readonly part: 'velocity errors' | 'samples' | 'spectral norms';
  readonly done: number;
  readonly count: number;
}

/** An opened run. */
export interface BoundsSubject extends BoundedRun {
  readonly run: TrainedRun;
  readonly model: Model;
  readonly group: ParameterGroup;
  readonly parts: MeasuredParts;
}

/** At what, and with what, all runs are measured. */
export interface BoundsSetting {
  readonly plan: BoundsPlan;
  readonly points: BoundsPoints;
  readonly exact: RememberedField;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BoundsProgress) => void;
}

/** What was measured of a run; null where it was not asked for. */
export interface MeasuredRun {
  readonly velocityErrors: readonly VelocityErrorAtTime[] | null;
  /** float32 [matched, elements]. */
  readonly samples: Float32Array | null;
  readonly lipschitz: LipschitzEstimate | null;
}

/** Points that both fields are asked for at once. */
const errorBatch = 64;

/** An estimate of a mean over elements as one of the sum. */
function overElements({ mean, standardError, count }: Estimate, elements: number): Estimate {
  return { mean: elements * mean, standardError: elements * standardError, count };
}

async function velocityErrors(
  sampler: Sampler,
  { points, exact, signal, onProgress }: BoundsSetting,
): Promise<VelocityErrorAtTime[]> {
  const errors = await fieldError({ field: networkVelocity(sampler, { signal }), reference: exact.velocity }, points, {
    batch: errorBatch,
    onProgress: (done, count) => onProgress({ part: 'velocity errors', done, count }),
  });
  return errors.map(({ time, error, referenceSquare }) => ({
    time,
    square: overElements(error, points.elements),
    exactSquare: overElements(referenceSquare, points.elements),
  }));
}

/** Samples with the seeds from the plan's on, of all classes together. */
async function matchedSamples(
  sampler: Sampler,
  { sampling }: BoundsSubject,
  { plan: { matched, seed }, points, signal, onProgress }: BoundsSetting,
): Promise<Float32Array> {
  const samples = new Float32Array(matched * points.elements);
  const seeds = Uint32Array.from({ length: matched }, (_, i) => seed + i);
  const request = { ...buildSolver(sampling.solver), seeds, labels: null, guidance: 1, signal };
  let done = 0;
  for await (const batch of sampler.sample(request)) {
    samples.set(batch.latents, done * points.elements);
    done += batch.seeds.length;
    onProgress({ part: 'samples', done, count: matched });
  }
  return samples;
}

async function lipschitz({ runtime, network }: OpenNetwork, setting: BoundsSetting): Promise<LipschitzEstimate> {
  const { plan, points, signal, onProgress } = setting;
  const { seed, tolerance, maxIterations } = plan;
  const products = await openJacobianProducts(runtime, network);
  try {
    const count = (points.times.length * points.jacobians.target.length) / points.elements;
    const where = { pairs: points.jacobians, times: points.times };
    return await lipschitzOverTime(products, where, {
      seed,
      tolerance,
      maxIterations,
      signal,
      onProgress: ({ done }) => onProgress({ part: 'spectral norms', done, count }),
    });
  } finally {
    products.release();
  }
}

/**
 * Measures a run.
 * @throws RuntimeError if its network cannot be executed; NumericalError if it is not finite; the signal's reason if it aborts.
 */
export function measureBounds(subject: BoundsSubject, setting: BoundsSetting): Promise<MeasuredRun> {
  const { run, model, group, sampling, runtime, parts } = subject;
  const options = { model, group, batch: sampling.batchSize, runtime };
  return withNetwork(run, options, async (open) => {
    const sampler = await createSampler(open.runtime, open.network);
    try {
      return {
        velocityErrors: parts.errors ? await velocityErrors(sampler, setting) : null,
        samples: parts.errors && setting.plan.matched > 0 ? await matchedSamples(sampler, subject, setting) : null,
        lipschitz: parts.lipschitz ? await lipschitz(open, setting) : null,
      };
    } finally {
      sampler.release();
    }
  });
}
