/** Times several ways of doing a thing in turns (A B C A B C ...), so that all of them meet the same moments of a machine. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Contender {
  /**
   * Runs one after another.
   * @param untimed  runs before the clock starts.
   * @param count  timed runs, at least 1.
   * @returns the mean time of a timed run.
   */
  run(untimed: number, count: number): Promise<number>;
}

/** Times of a contender, one a turn. */
export interface Timing {
  readonly ms: number;
  /** First and third quartile. */
  readonly quartilesMs: readonly [number, number];
  readonly turns: number;
  /** Runs averaged in a turn. */
  readonly runsPerTurn: number;
}

export interface InterleaveOptions {
  /** Turns of each contender. */
  readonly rounds: number;
  /** Least duration of a turn: short runs are repeated, and averaged, until it is reached. Default 200. */
  readonly turnMs?: number;
  /** Rest after a turn, in which the threads of the contender go to sleep. Default 20. */
  readonly restMs?: number;
  readonly progress?: (text: string) => void;
}

/** A contender of this process. */
export function contender(action: () => Promise<unknown>): Contender {
  return {
    async run(untimed, count) {
      for (let i = 0; i < untimed; i++) await action();
      const start = performance.now();
      for (let i = 0; i < count; i++) await action();
      return (performance.now() - start) / count;
    },
  };
}

/** Linear interpolation between the sorted values; `at` in [0, 1]. */
export function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = at * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Medians over the rounds, after a few runs of each contender that are not counted. */
export async function interleave(
  contenders: Readonly<Record<string, Contender>>,
  { rounds, turnMs = 200, restMs = 20, progress = () => {} }: InterleaveOptions,
): Promise<Record<string, Timing>> {
  const sides: { readonly name: string; readonly side: Contender; readonly count: number; readonly times: number[] }[] =
    [];
  for (const [name, side] of Object.entries(contenders)) {
    progress(`warming up ${name}`);
    const first = await side.run(1, 1);
    const estimate = first < turnMs / 10 ? await side.run(0, 5) : first;
    sides.push({ name, side, count: Math.max(1, Math.ceil(turnMs / Math.max(estimate, 1e-3))), times: [] });
    await sleep(restMs);
  }
  for (let round = 1; round <= rounds; round++) {
    progress(`round ${round} of ${rounds}`);
    for (const { side, count, times } of sides) {
      // Short runs meet a cold start after the other side's turn, which would weigh on a few of them.
      times.push(await side.run(count > 1 ? 1 : 0, count));
      await sleep(restMs);
    }
  }
  const timings = sides.map(({ name, times, count }): [string, Timing] => [
    name,
    {
      ms: median(times),
      quartilesMs: [quantile(times, 0.25), quantile(times, 0.75)],
      turns: times.length,
      runsPerTurn: count,
    },
  ]);
  return Object.fromEntries(timings);
}
