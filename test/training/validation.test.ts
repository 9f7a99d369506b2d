import { describe, expect, it } from 'vitest';
import type { HostArrays } from '../../src/engine/stepper.ts';
import { stream } from '../../src/numerics/stream.ts';
import { constantPredictorLoss, validationLoss, validationSet } from '../../src/training/validation.ts';

const width = 3;

function heldOut(count: number) {
  const random = stream(2, 'held-out');
  return {
    target: Float32Array.from({ length: count * width }, () => 2 + random.normal()),
    labels: Int32Array.from({ length: count }, (_, i) => i % 5),
  };
}

const options = { batch: 4, seed: 1, labelled: true, jitter: true };

/** Rows of all batches without the filling, one input. */
function column(batches: readonly HostArrays[], name: string, count: number): number[] {
  const all = batches.flatMap((batch) => Array.from(batch[name] as Float32Array));
  return all.slice(0, count * (name === 'time' || name === 'labels' ? 1 : width));
}

describe('a validation set', () => {
  it('always has the same noise and times, whatever the batch size', () => {
    const first = validationSet(heldOut(10), options);
    expect(validationSet(heldOut(10), options)).toEqual(first);
    const other = validationSet(heldOut(10), { ...options, batch: 7 });
    for (const name of ['target', 'source', 'time', 'labels', 'jitter']) {
      expect(column(other.batches, name, 10)).toEqual(column(first.batches, name, 10));
    }
    expect(validationSet(heldOut(10), { ...options, seed: 2 }).source).not.toEqual(first.source);
  });

  it('has times spread evenly over (0, 1), in random order', () => {
    const { batches } = validationSet(heldOut(10), options);
    const times = column(batches, 'time', 10);
    const ordered = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95].map(Math.fround);
    expect(times.toSorted()).toEqual(ordered);
    expect(times).not.toEqual(ordered);
  });

  it('has whole batches, the last one filled up', () => {
    const { batches, count } = validationSet(heldOut(10), options);
    expect(count).toBe(10);
    expect(batches.map(({ time }) => time.length)).toEqual([4, 4, 4]);
    const [a, b, c, d] = batches[2].labels as Int32Array;
    expect([a, b, c, d]).toEqual([3, 4, 3, 3]);
  });

  it('has only the inputs that are wanted', () => {
    const { batches } = validationSet(heldOut(4), { ...options, labelled: false, jitter: false });
    expect(Object.keys(batches[0])).toEqual(['target', 'source', 'time']);
  });
});

describe('the validation loss', () => {
  it('is the mean over the samples, the filling not counted, with its standard error', async () => {
    const set = validationSet(heldOut(10), options);
    const losses = new Map(column(set.batches, 'time', 10).map((time, i) => [time, i]));
    const result = await validationLoss(set, async ({ time }) =>
      Float32Array.from(time as Float32Array, (t) => losses.get(t)!),
    );
    expect(result.loss).toBeCloseTo(4.5, 12);
    // Variance of 0..9 with n - 1: 55/6.
    expect(result.standardError).toBeCloseTo(Math.sqrt(55 / 6 / 10), 12);
  });

  it('of a constant prediction is what a network that predicts it would get', async () => {
    const set = validationSet(heldOut(10), options);
    const mean = Float64Array.of(2, 1.5, 2.5);
    const direct = await validationLoss(set, async ({ target, source }) =>
      Float32Array.from({ length: 4 }, (_, row) => {
        const error = (i: number) => Number(target[row * width + i]) - Number(source[row * width + i]) - mean[i];
        return [0, 1, 2].reduce((sum, i) => sum + error(i) ** 2 / width, 0);
      }),
    );
    const constant = constantPredictorLoss(set, mean);
    expect(constant.loss).toBeCloseTo(direct.loss, 5);
    expect(constant.standardError).toBeCloseTo(direct.standardError, 5);
  });

  it('of the best constant is the variance of the velocity', () => {
    const set = validationSet(heldOut(5000), { ...options, batch: 500 });
    // Data N(2, 1) and noise N(0, 1) at the mean velocity 2.
    const { loss, standardError } = constantPredictorLoss(set, new Float64Array(3).fill(2));
    expect(Math.abs(loss - 2)).toBeLessThan(4 * standardError);
    expect(constantPredictorLoss(set, new Float64Array(3).fill(2.5)).loss).toBeGreaterThan(loss);
  });
});
