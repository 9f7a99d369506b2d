/**
 * Loss scaling for mixed precision: float16 gradients are those of the loss times a power of two, so that small ones do not vanish, and
 * float32 gradients are divided by it again. Source: [micikevicius:18], section 3.2; the rule by which the factor follows the gradients
 * is the one that became usual after it.
 */
import { CheckpointError } from '../errors.ts';
import type { HostState } from './trainer-state.ts';

/** Where loss scaling stands. */
export interface LossScale {
  /** Factor on the loss, a power of two >= 1. */
  readonly value: number;
  /** Steps in a row whose gradients were finite under this factor. */
  readonly goodSteps: number;
  /** Updates that were skipped since the start of the run, as their gradients were not finite. */
  readonly skipped: number;
}

/** The largest factor that the paper trained with. */
export const startingLossScale: LossScale = { value: 2 ** 15, goodSteps: 0, skipped: 0 };

/** Good steps after which the factor is doubled. */
export const GROWTH_STEPS = 2000;

/** After gradients that were not finite: half the factor; `null` where it cannot be their cause, as half is below 1. */
export function afterOverflow({ value, skipped }: LossScale): LossScale | null {
  return value < 2 ? null : { value: value / 2, goodSteps: 0, skipped: skipped + 1 };
}

/** After an update: twice the factor if there have been enough. */
export function afterUpdate({ value, goodSteps, skipped }: LossScale): LossScale {
  return goodSteps + 1 < GROWTH_STEPS
    ? { value, goodSteps: goodSteps + 1, skipped }
    : { value: 2 * value, goodSteps: 0, skipped };
}

/** Loss scaling as state beside the tensors of a checkpoint. */
export function lossScaleState(read: () => LossScale, write: (scale: LossScale) => void): HostState {
  return {
    prefix: 'lossScale.',
    state(): Record<keyof LossScale, Float64Array> {
      const { value, goodSteps, skipped } = read();
      return {
        value: Float64Array.of(value),
        goodSteps: Float64Array.of(goodSteps),
        skipped: Float64Array.of(skipped),
      };
    },
    restore({ value, goodSteps, skipped }) {
      if ([value, goodSteps, skipped].some((numbers) => numbers?.length !== 1)) {
        throw new CheckpointError({
          expected: 'a checkpoint with the loss scale of mixed precision',
          got: 'one without',
          where: 'training/loss-scale',
          remedy: "the run's own config",
        });
      }
      write({ value: value[0], goodSteps: goodSteps[0], skipped: skipped[0] });
    },
  };
}
