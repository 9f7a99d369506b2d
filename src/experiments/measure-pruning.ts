/** Measures the stability of data sets under pruning, one after the other, with the time that is left for all. */
import { type PrunedSubset, pruningStability, randomSubset } from '../analysis/pruning-stability.ts';
import { ConfigError } from '../errors.ts';
import { stream } from '../numerics/stream.ts';
import { SOLVERS } from '../sampling/solvers/solver-table.ts';
import { uniformGrid } from '../sampling/time-grid.ts';
import { openExactField } from './exact-field.ts';
import { readKeptIndices } from './kept-indices.ts';
import { openPruningData } from './pruning-data.ts';
import type { PruningCase, PruningRequest, PruningResult } from './pruning-request.ts';

/** Numbers in the states of the noises that are followed at once. */
const batchNumbers = 2 ** 20;
/** Noises at once at most. */
const mostNoises = 1024;

/** Noises that are followed at once, even so that pairs stay together. */
function batchOf(elements: number): number {
  return 2 * Math.max(1, Math.min(mostNoises / 2, Math.floor(batchNumbers / elements / 2)));
}

function noiseSeeds({ noises, seed }: PruningCase): Uint32Array {
  const words = stream(seed, 'pruning-noise');
  return Uint32Array.from({ length: noises }, () => words.uint32());
}

async function subsetsOf({ fractions, kept, seed }: PruningCase, count: number): Promise<PrunedSubset[]> {
  const named: PrunedSubset[] = [];
  for (const path of kept) named.push({ name: path, kept: await readKeptIndices(path, count) });
  const random = fractions.map((fraction) => ({
    name: `${fraction} removed`,
    kept: randomSubset(count, fraction, seed),
  }));
  return [...named, ...random];
}

/** What hears of a case's progress: trajectories, and its share of the work. */
type CaseProgress = (trajectories: number, share: number) => void;

async function measureCase(one: PruningCase, signal: AbortSignal, onProgress: CaseProgress): Promise<PruningResult> {
  const began = performance.now();
  const rows = await openPruningData(one.data, one.seed);
  const { count, elements } = rows;
  const subsets = await subsetsOf(one, count);
  const field = await openExactField(rows);
  try {
    const stability = await pruningStability(field, {
      solver: SOLVERS[one.solver],
      times: uniformGrid(one.steps),
      seeds: noiseSeeds(one),
      subsets,
      batch: batchOf(elements),
      signal,
      onProgress: ({ trajectories, share }) => onProgress(trajectories, share),
    });
    return { ...one, count, elements, ...stability, seconds: (performance.now() - began) / 1000 };
  } finally {
    field.release();
  }
}

/** Work of a case, roughly and in no unit: cases are alike but for their sizes. */
function workOf({ data, noises, steps, fractions, kept }: PruningCase): number {
  const trajectories = noises * (1 + kept.length + fractions.reduce((sum, fraction) => sum + 1 - fraction, 0));
  const [count, elements] = data.kind === 'mixture' ? [data.count, data.dimension] : [data.count ?? 10_000, 1024];
  return trajectories * count * (elements + 16) * Math.sqrt(steps);
}

/** @throws ConfigError unless the noises are enough for a pair, and there is a subset. */
function check({ noises, steps, fractions, kept }: PruningCase): void {
  const fault = (expected: string, got: string) =>
    new ConfigError({ expected, got, where: 'experiments/measure-pruning' });
  if (!(Number.isInteger(noises) && noises >= 4)) throw fault('at least four noises, two pairs', String(noises));
  // With one step the only evaluation is at time 0, where all data have the same weight.
  if (!(Number.isInteger(steps) && steps >= 2)) throw fault('at least two steps', String(steps));
  if (fractions.length + kept.length === 0) throw fault('a fraction to be removed, or a file of what remains', 'none');
}

/**
 * Measures cases one after the other.
 * @throws ConfigError, DataError if one cannot be measured; those of numbers before the first is.
 */
export async function measurePruning(
  cases: readonly PruningCase[],
  { signal, onEvent }: Pick<PruningRequest, 'signal' | 'onEvent'>,
): Promise<PruningResult[]> {
  for (const one of cases) check(one);
  const began = performance.now();
  const trajectoriesOf = ({ noises, fractions, kept }: PruningCase) => noises * (1 + fractions.length + kept.length);
  const count = cases.reduce((sum, one) => sum + trajectoriesOf(one), 0);
  const work = cases.reduce((sum, one) => sum + workOf(one), 0);
  let [done, worked] = [0, 0];
  const results: PruningResult[] = [];
  for (const one of cases) {
    const onProgress = (trajectories: number, share: number) => {
      const part = (worked + share * workOf(one)) / work;
      const secondsLeft = ((performance.now() - began) / 1000) * (1 / part - 1);
      onEvent({
        kind: 'work',
        what: one.name,
        done: done + trajectories,
        count,
        unit: 'trajectories',
        secondsLeft,
      });
    };
    results.push(await measureCase(one, signal, onProgress));
    done += trajectoriesOf(one);
    worked += workOf(one);
  }
  return results;
}
