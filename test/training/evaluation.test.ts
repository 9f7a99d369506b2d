import { describe, expect, it } from 'vitest';
import type { Metric } from '../../src/metrics/metric.ts';
import {
  bestOf,
  type EvaluationEvent,
  type EvaluationOptions,
  trackEvaluations,
} from '../../src/training/evaluation.ts';

function metric(value: number, name = 'distance'): Metric {
  return { name, value, unit: 'units', samples: {}, standardError: null, convention: '' };
}

function events(...values: number[]): EvaluationEvent[] {
  return values.map((value, i) => ({ kind: 'evaluation', imagesSeen: 10 * (i + 1), metrics: [metric(value)] }));
}

const lowest = { metric: 'distance', better: 'lower', keep: true, patience: 2 } as const;

/** Evaluations every 10 images of a run of 95, with the given values to come. */
function track(values: readonly number[], options: Partial<EvaluationOptions> = {}, signal?: AbortSignal) {
  const left = [...values];
  const measure = async () => [metric(left.shift()!)];
  const run = { images: 95, ...(signal === undefined ? {} : { signal }) };
  return trackEvaluations({ everyImages: 10, measure, best: lowest, past: [], ...options }, run);
}

describe('the best evaluation', () => {
  it('is the first of the lowest, or of the highest', () => {
    expect(bestOf(events(3, 1, 2, 1), lowest)).toEqual({ imagesSeen: 20, metric: 'distance', value: 1, later: 2 });
    expect(bestOf(events(3, 1, 3), { metric: 'distance', better: 'higher' })).toMatchObject({
      imagesSeen: 10,
      later: 2,
    });
  });

  it('is none where the value was never measured', () => {
    expect(bestOf([], lowest)).toBeNull();
    expect(bestOf(events(1), { metric: 'other', better: 'lower' })).toBeNull();
  });
});

describe('evaluations of a run', () => {
  it('are due when a multiple of their interval has passed, at the end, and once each', async () => {
    const evaluations = track([1, 1], { past: events(1) });
    expect([evaluations.isDue(0, 0), evaluations.isDue(0, 10), evaluations.isDue(11, 19)]).toEqual([
      false,
      false,
      false,
    ]);
    expect([evaluations.isDue(16, 24), evaluations.isDue(91, 95)]).toEqual([true, true]);
    await evaluations.make(24);
    expect(evaluations.isDue(16, 24)).toBe(false);
  });

  it('go on from those that were made before', async () => {
    const whole = track([5, 4, 4.5]);
    const told: EvaluationEvent[] = [];
    for (const imagesSeen of [10, 20, 30]) told.push((await whole.make(imagesSeen))!);
    expect(told.map(({ best }) => best)).toEqual([true, true, false]);
    const resumed = track([6], { past: told });
    expect(resumed.kept).toEqual({ imagesSeen: 20, metric: 'distance', value: 4 });
    expect(resumed.exhausted).toBe(false);
    expect((await resumed.make(40))!.best).toBe(false);
    expect(resumed.exhausted).toBe(true);
  });

  it('neither keep nor end anything where nobody asks', async () => {
    const evaluations = track([1, 2, 3], { best: null });
    for (const imagesSeen of [10, 20, 30]) expect(await evaluations.make(imagesSeen)).not.toHaveProperty('best');
    expect([evaluations.kept, evaluations.exhausted]).toEqual([null, false]);
    expect(track([], { best: { ...lowest, keep: false, patience: null }, past: events(1, 2, 3) })).toMatchObject({
      kept: null,
      exhausted: false,
    });
  });

  it('stay due when they are aborted, and throw what else goes wrong', async () => {
    const controller = new AbortController();
    const measure = async () => {
      controller.signal.throwIfAborted();
      throw new Error('broken');
    };
    const evaluations = track([], { measure }, controller.signal);
    await expect(evaluations.make(10)).rejects.toThrow('broken');
    controller.abort();
    expect(await evaluations.make(10)).toBeNull();
    expect(evaluations.isDue(0, 10)).toBe(true);
  });

  it('are never due without options', async () => {
    const evaluations = trackEvaluations(null, { images: 10 });
    expect([evaluations.isDue(0, 10), evaluations.kept, evaluations.exhausted]).toEqual([false, null, false]);
  });
});
