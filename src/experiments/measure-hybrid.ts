import { hybridSamples } from '../analysis/hybrid-sampling.ts';
import { memorisation, nearestDistances } from '../analysis/memorisation.ts';
import type { Estimate } from '../numerics/estimate.ts';
import { neighboursOf } from '../numerics/nearest-neighbours.ts';
import { exactVelocity } from '../sampling/closed-form-flow.ts';
import type { VelocityField } from '../sampling/solvers/solver.ts';
import { flowRequest, joinRows, nearestTwo, type SamplePlan, type TrainedField } from './trained-field.ts';
import { workProgress } from './work-progress.ts';

/** Samples that are shown one by one. */
export const shownSamples = 4;

export interface HybridPlan extends SamplePlan {
  /** Times tau at which samples change from the exact field to the network: ascending, in [0, 1]. */
  readonly switches: readonly number[];
  /** Ratio of distances below which a sample is memorised. */
  readonly threshold: number;
}

/** Samples that change at tau. */
export interface HybridAtSwitch {
  readonly tau: number;
  /** Euclidean distance to the nearest training datum, in latent units. */
  readonly distance: Estimate;
  /** Share of samples that are memorised. */
  readonly memorised: Estimate;
  /** Distances of the first four samples. */
  readonly shown: readonly number[];
}

export interface HybridResult {
  readonly samples: number;
  readonly seed: number;
  readonly switches: readonly HybridAtSwitch[];
}

/** What was measured, and the samples that are shown. */
export interface MeasuredHybrid {
  readonly result: HybridResult;
  /** float32 [4, switches, elements]: a noise a row. */
  readonly shown: Float32Array;
}

function guarded({ exact }: TrainedField, signal: AbortSignal): VelocityField<Float32Array> {
  const field = exactVelocity(exact);
  return (...given) => {
    signal.throwIfAborted();
    return field(...given);
  };
}

/** Samples by hybrid flows: float32 [samples, elements] for each switch. */
async function makeHybrids(trained: TrainedField, plan: HybridPlan): Promise<Float32Array[]> {
  const { switches, samples, signal, onEvent } = plan;
  const exact = guarded(trained, signal);
  const parts: Float32Array[][] = switches.map(() => []);
  const progress = workProgress(onEvent, { what: 'hybrid samples', unit: 'noises' });
  let done = 0;
  for (const problem of trained.sampler.problems(flowRequest(plan))) {
    const made = await hybridSamples({ ...problem, exact }, { switches, ...trained.setup });
    const length = (problem.seeds.length * problem.x0.length) / problem.batch;
    for (const [i, values] of made.entries()) parts[i]!.push(values.subarray(0, length));
    done += problem.seeds.length;
    progress(done, samples);
  }
  return parts.map(joinRows);
}

/** The first samples of each switch, a noise a row. */
function shownRows(bySwitch: readonly Float32Array[], elements: number): Float32Array {
  const noises = Math.min(shownSamples, bySwitch[0]!.length / elements);
  return joinRows(
    Array.from({ length: noises }, (_, noise) =>
      joinRows(bySwitch.map((samples) => samples.subarray(noise * elements, (noise + 1) * elements))),
    ),
  );
}

/**
 * Measures how near the samples of hybrid flows are to training data, by the time of the switch. Source: [bertrand:25], figure 3.
 * @throws ConfigError if there are fewer than two training data; the signal's reason if it aborts.
 */
export async function measureHybrid(trained: TrainedField, plan: HybridPlan): Promise<MeasuredHybrid> {
  const { switches, samples, seed, threshold } = plan;
  const { elements } = trained.rows;
  const bySwitch = await makeHybrids(trained, plan);
  const neighbours = await nearestTwo(trained, joinRows(bySwitch), plan);
  const rows = switches.map((tau, i): HybridAtSwitch => {
    const own = neighboursOf(neighbours, i * samples, samples);
    const { distance, memorised } = memorisation(own, { threshold });
    const shown = [...nearestDistances(own).subarray(0, shownSamples)];
    return { tau, distance, memorised, shown };
  });
  return { result: { samples, seed, switches: rows }, shown: shownRows(bySwitch, elements) };
}
