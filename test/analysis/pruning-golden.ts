/** Golden numbers of scripts/golden/pruning_stability.py, and the points that they are of. */
import { readFileSync } from 'node:fs';
import { mulberry32Array } from '../../src/numerics/mulberry32.ts';

/** A flow by Euler's method on all data, and on those whose number is a multiple of `every`. */
export interface GoldenFlow {
  readonly data: number;
  readonly noises: number;
  readonly dimensions: number;
  readonly steps: number;
  readonly every: number;
  readonly assigned: readonly number[];
  readonly assignedPruned: readonly number[];
  readonly deviation: readonly number[];
  /** Between noises 0 and 1, 2 and 3, ... on all data. */
  readonly seedDeviation: readonly number[];
}

interface PruningGolden {
  readonly flows: readonly GoldenFlow[];
  readonly intervals: readonly {
    readonly hits: number;
    readonly trials: number;
    readonly low: number;
    readonly high: number;
  }[];
  readonly quantiles: {
    readonly values: readonly number[];
    readonly shares: readonly number[];
    readonly quantiles: readonly number[];
  };
}

export const pruningGolden = JSON.parse(
  readFileSync(new URL('../golden/pruning-stability.json', import.meta.url), 'utf8'),
) as PruningGolden;

/** Points by the rule of the script, [count, dimensions]: seed 1 for data, 2 for noises. */
export function goldenPoints(seed: number, count: number, dimensions: number): Float64Array {
  const u = mulberry32Array(seed, count * dimensions * 6);
  return Float64Array.from({ length: count * dimensions }, (_, at) => {
    let sum = 0;
    for (let k = 6 * at; k < 6 * at + 6; k++) sum += Math.floor(256 * u[k]!);
    return sum / 256 - 3;
  });
}
