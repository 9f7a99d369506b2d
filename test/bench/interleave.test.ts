import { describe, expect, it } from 'vitest';
import { contender, interleave, median, quantile } from '../../bench/interleave.ts';

/** A contender that takes the given times, one a turn, and writes its name down. */
function scripted(name: string, times: number[], log: string[]) {
  return {
    run: async (untimed: number, count: number) => {
      log.push(`${name}${untimed}+${count}`);
      return times.shift() ?? Number.NaN;
    },
  };
}

describe('interleave', () => {
  it('gives every side its turn in each round, after a warm-up', async () => {
    const log: string[] = [];
    const sides = { a: scripted('a', [500, 1, 9, 3], log), b: scripted('b', [500, 20, 20, 80], log) };
    const timings = await interleave(sides, { rounds: 3, restMs: 0 });
    expect(log.join(' ')).toBe('a1+1 b1+1 a0+1 b0+1 a0+1 b0+1 a0+1 b0+1');
    expect(timings.a).toEqual({ ms: 3, quartilesMs: [2, 6], turns: 3, runsPerTurn: 1 });
    expect(timings.b.ms).toBe(20);
  });

  it('repeats short runs until a turn is long enough, and starts those turns with a run that does not count', async () => {
    const log: string[] = [];
    const times = [9, 4, 4, 4];
    const timings = await interleave({ a: scripted('a', times, log) }, { rounds: 2, turnMs: 100, restMs: 0 });
    expect(log.join(' ')).toBe('a1+1 a0+5 a1+25 a1+25');
    expect(timings.a.runsPerTurn).toBe(25);
  });

  it('measures the mean of the counted runs alone', async () => {
    let runs = 0;
    const side = contender(async () => {
      runs += 1;
      if (runs <= 2) await new Promise((resolve) => setTimeout(resolve, 50));
    });
    expect(await side.run(2, 10)).toBeLessThan(5);
    expect(runs).toBe(12);
  });
});

describe('quantiles', () => {
  it('lie between the sorted values', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(quantile([10, 20], 0.25)).toBe(12.5);
    expect(quantile([7], 0.9)).toBe(7);
    expect(quantile([3, 1, 2], 1)).toBe(3);
  });
});
