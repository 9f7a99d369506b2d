import { type FieldErrorAtTime, fieldError } from '../analysis/field-error.ts';
import { drawNoise, drawPairs } from './measure-alignment.ts';
import { networkVelocity } from './network-velocity.ts';
import type { Surroundings, TrainedField } from './trained-field.ts';
import { workProgress } from './work-progress.ts';

export interface FieldErrorPlan extends Surroundings {
  /** Pairs of noise and data on either side; of held-out data fewer where there are no more. */
  readonly pairs: number;
  /** Ascending, in [0, 1). */
  readonly times: readonly number[];
  readonly seed: number;
}

/** Mean squared error per element of the network's velocity against the exact field of the training data. */
export interface FieldErrorResult {
  /** At points made of training data. */
  readonly training: readonly FieldErrorAtTime[];
  /** At points made of held-out data; null where none are held out. */
  readonly heldOut: readonly FieldErrorAtTime[] | null;
}

/**
 * Measures the error of a network against the exact field of its training data over time, at xt made of training data and of held-out
 * data. Source: [bertrand:25], figure 2, left.
 * @throws the signal's reason if it aborts.
 */
export async function measureFieldError(trained: TrainedField, plan: FieldErrorPlan): Promise<FieldErrorResult> {
  const { pairs, times, seed, signal, onEvent } = plan;
  const { rows, exact, batch, sampler, data } = trained;
  const fields = {
    field: networkVelocity(sampler, { signal }),
    reference: async (x: Float32Array, time: Float64Array) => (await exact.evaluate(x, time)).velocity,
  };
  const errorsAt = (what: string, points: { readonly source: Float32Array; readonly target: Float32Array }) => {
    const onProgress = workProgress(onEvent, { what: `error at ${what} data`, unit: 'requests' });
    return fieldError(fields, { ...points, elements: rows.elements, times }, { batch, onProgress });
  };
  const training = await errorsAt('training', await drawPairs(rows, pairs, seed));
  const heldOut = await data.heldOut(pairs);
  if (heldOut === null) return { training, heldOut: null };
  const { target } = heldOut;
  const source = drawNoise(rows.elements, target.length / rows.elements, seed);
  return { training, heldOut: await errorsAt('held-out', { source, target }) };
}
