import { type Memorisation, memorisation } from '../analysis/memorisation.ts';
import {
  makeSamples,
  nearestTwo,
  nearestTwoWithin,
  type SamplePlan,
  type Surroundings,
  type TrainedField,
} from './trained-field.ts';

/** How near samples are to the training data, without the values of each. */
export type NearnessResult = Omit<Memorisation, 'ratios'>;

/** Samples beside what they are compared with. */
export interface MemorisationResult {
  readonly samples: NearnessResult;
  /** Of held-out data, which nobody could have memorised; null where none are held out. */
  readonly heldOut: NearnessResult | null;
}

function nearness({ ratios: _ratios, ...rest }: Memorisation): NearnessResult {
  return rest;
}

/** Measures how near each training datum is to the others. @throws ConfigError if there are fewer than three data. */
export async function measureWithin(
  trained: TrainedField,
  { threshold, ...surroundings }: Surroundings & { readonly threshold: number },
): Promise<NearnessResult> {
  return nearness(memorisation(await nearestTwoWithin(trained, surroundings), { threshold }));
}

/**
 * Measures whether the network's samples are copies of training data, and the same of as many held-out data.
 * @throws ConfigError if there are fewer than two training data; the signal's reason if it aborts.
 */
export async function measureMemorisation(
  trained: TrainedField,
  plan: SamplePlan & { readonly threshold: number },
): Promise<MemorisationResult> {
  const { samples: count, threshold } = plan;
  const of = async (samples: Float32Array) =>
    nearness(memorisation(await nearestTwo(trained, samples, plan), { threshold }));
  const samples = await of(await makeSamples(trained, plan));
  const heldOut = await trained.data.heldOut(count);
  return { samples, heldOut: heldOut === null ? null : await of(heldOut.target) };
}
