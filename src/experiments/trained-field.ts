/** A trained network beside the exact field of its training data. */
import type { ClosedFormField } from '../closed-form/closed-form-field.ts';
import { type RowSet, rowSet } from '../numerics/distance-tiles.ts';
import type { DotProducts } from '../numerics/dot-products.ts';
import type { KeptRows } from '../numerics/kept-rows.ts';
import { type Neighbours, nearestNeighbours } from '../numerics/nearest-neighbours.ts';
import type { FlowRequest, Sampler } from '../sampling/sampler.ts';
import { buildSolver, type SolverSetup } from './build.ts';
import { openPairingTools } from './coupling-setup.ts';
import { openExactField, rowsOf } from './exact-field.ts';
import type { RunData } from './run-data.ts';
import { type ParameterGroup, parameterGroup } from './run-parameters.ts';
import type { RunEvent } from './run-types.ts';
import { openRunModel, type TrainedRun, withSampler } from './trained-run.ts';
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
    data.release();
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

async function allRows({ rows }: TrainedField): Promise<RowSet> {
  return rowSet(await rows.read(0, rows.count), rows.elements);
}

/** The two nearest training data of each sample. @throws ConfigError if there are fewer than two. */
export async function nearestTwo(
  trained: TrainedField,
  samples: Float32Array,
  { signal, onEvent }: Surroundings,
): Promise<Neighbours> {
  const onTile = workProgress(onEvent, { what: 'nearest training data', unit: 'blocks' });
  const data = await allRows(trained);
  return nearestNeighbours(rowSet(samples, data.elements), data, { products: trained.products, k: 2, signal, onTile });
}

/** The two nearest others of each training datum, or of the first 10,000. @throws ConfigError if there are fewer than three data. */
export async function nearestTwoWithin(trained: TrainedField, { signal, onEvent }: Surroundings): Promise<Neighbours> {
  const onTile = workProgress(onEvent, { what: 'distances within the data', unit: 'blocks' });
  const data = await allRows(trained);
  const first = rowSet(data.values.subarray(0, mostWithin * data.elements), data.elements);
  return nearestNeighbours(first, data, { products: trained.products, k: 2, excludeSelf: true, signal, onTile });
}
