import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../src/errors.ts';
import {
  afterOverflow,
  afterUpdate,
  GROWTH_STEPS,
  type LossScale,
  lossScaleState,
  startingLossScale,
} from '../../src/training/loss-scale.ts';

describe('a loss scale', () => {
  it('begins with 2^15', () => {
    expect(startingLossScale).toEqual({ value: 32768, goodSteps: 0, skipped: 0 });
  });

  it('is halved by an overflow, which ends the row of good steps', () => {
    expect(afterOverflow({ value: 8, goodSteps: 5, skipped: 1 })).toEqual({ value: 4, goodSteps: 0, skipped: 2 });
    expect(afterOverflow({ value: 2, goodSteps: 0, skipped: 0 })?.value).toBe(1);
  });

  it('is not the cause of an overflow at 1', () => {
    expect(afterOverflow({ value: 1, goodSteps: 5, skipped: 1 })).toBeNull();
  });

  it('is doubled by 2000 good steps in a row, and again by as many', () => {
    let scale: LossScale = { value: 4, goodSteps: 0, skipped: 3 };
    const values: number[] = [];
    for (let step = 0; step < 2 * GROWTH_STEPS; step++) {
      scale = afterUpdate(scale);
      values.push(scale.value);
    }
    expect(GROWTH_STEPS).toBe(2000);
    expect([values.indexOf(8), values.indexOf(16)]).toEqual([GROWTH_STEPS - 1, 2 * GROWTH_STEPS - 1]);
    expect(scale).toEqual({ value: 16, goodSteps: 0, skipped: 3 });
  });

  it('goes through a checkpoint, which must have it', () => {
    let scale: LossScale = { value: 2 ** 40, goodSteps: 17, skipped: 4 };
    const kept = scale;
    const state = lossScaleState(
      () => scale,
      (read) => {
        scale = read;
      },
    );
    const arrays = state.state();
    scale = startingLossScale;
    expect(() => state.restore({})).toThrow(CheckpointError);
    expect(scale).toEqual(startingLossScale);
    state.restore(arrays);
    expect(scale).toEqual(kept);
  });
});
