/** A trained network beside the exact field of its training data. */
import { type Neighbours, nearestNeighbours, neighboursWithin } from '../analysis/nearest-neighbours.ts';
import type { ClosedFormField } from '../closed-form/closed-form-field.ts';
import type { DotProducts } from '../numerics/dot-products.ts';
import type { KeptRows } from '../numerics/kept-rows.ts';
import type { FlowRequest, Sampler } from '../sampling/sampler.ts';
import { buildSolver, type SolverSetup } from './build.ts';
import { openPairingTools } from './coupling-setup.ts';
import { openExactField, rowsOf } from './exact-field.ts';
import type { RunData } from './run-data.ts';
import type { RunEvent } from './run-types.ts';
import { openRunModel, type ParameterGroup, parameterGroup, type TrainedRun, withSampler } from './trained-run.ts';
import { workProgress } from './work-progress.ts';

/** A network, and what it was trained on. */
export interface TrainedField {
  readonly data: RunData;
  /** The training data, mirrored ones behind them where training mirrors. */
  readonly rows: KeptRows;
  /** The exact field of the training data. */
  readonly exact: ClosedFormField<Float32Array>;
  readonly sampler: Sampler;
  /** Points that the network takes at once. */
  readonly batch: number;
  /** The run's solver and its times. */
  readonly setup: SolverSetup;
  readonly group: ParameterGroup;
  /** Whether the network knows labels; it is then asked for its velocities without one, as the exact field has none. */
  readonly labelled: boolean;
  readonly products: DotProducts;
}

/** Opens a run's network and the exact field of its data for as long as `use` takes. @throws as `openRunModel`. */
export async function withTrainedField<T>(
  run: TrainedRun,
  { ema }: { readonly ema: boolean },
  use: (trained: TrainedField) => Promise<T>,
): Promise<T> {
  const { config } = run;
  const { model, data } = await openRunModel(config);
  const rows = rowsOf(data.rows);
  const group = parameterGroup(config, ema);
  const batch = config.sampling.batchSize;
  const { tools, close } = openPairingTools(config.runtime);
  try {
    const exact = await openExactField(rows);
    const setup = buildSolver(config.sampling.solver);
    const facts = { data, rows, exact, batch, setup, group, labelled: model.classes !== null };
    try {
      return await withSampler(run, { model, group, batch, runtime: config.runtime }, (sampler) =>
        use({ ...facts, sampler, products: tools.products }),
      );
    } finally {
      exact.release();
    }
  } finally {
    await close();
  }
}

/** Who hears of work, and how it is ended. */
export interface Surroundings {
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** Which samples are looked at. */
export interface SamplePlan extends Surroundings {
  /** Samples, with noise by seeds from `seed` on. */
  readonly samples: number;
  readonly seed: number;
}

/** The noises of a plan for the network, without labels. */
export function flowRequest({ samples, seed, signal }: Omit<SamplePlan, 'onEvent'>): FlowRequest {
  return { seeds: Uint32Array.from({ length: samples }, (_, i) => seed + i), labels: null, guidance: 1, signal };
}

/** Rows of several arrays in one. */
export function joinRows(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}

/** The network's own samples by the run's solver: float32 [samples, elements]. */
export async function makeSamples({ sampler, setup }: TrainedField, plan: SamplePlan): Promise<Float32Array> {
  const progress = workProgress(plan.onEvent, { what: 'samples of the network', unit: 'samples' });
  const parts: Float32Array[] = [];
  let done = 0;
  for await (const { latents, seeds } of sampler.sample({ ...flowRequest(plan), ...setup })) {
    parts.push(latents);
    done += seeds.length;
    progress(done, plan.samples);
  }
  return joinRows(parts);
}

/** Data of whose distances to each other the mean is taken, at most. */
const mostWithin = 10_000;

/** The two nearest training data of each sample. @throws ConfigError if there are fewer than two. */
export function nearestTwo(
  { rows, products }: TrainedField,
  samples: Float32Array,
  { signal, onEvent }: Surroundings,
): Promise<Neighbours> {
  const onProgress = workProgress(onEvent, { what: 'nearest training data', unit: 'blocks' });
  return nearestNeighbours(rows, samples, { products, count: 2, signal, onProgress });
}

/** The two nearest others of each training datum, or of the first 10,000. @throws ConfigError if there are fewer than three data. */
export async function nearestTwoWithin({ rows, products }: TrainedField, { signal, onEvent }: Surroundings) {
  const onProgress = workProgress(onEvent, { what: 'distances within the data', unit: 'blocks' });
  const samples = Math.min(mostWithin, rows.count);
  const neighbours = await neighboursWithin(rows, { products, count: 2, most: samples, signal, onProgress });
  return { neighbours, samples };
}
