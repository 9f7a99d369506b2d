/** All figures and tables that can be reproduced, by name. */
import { ConfigError } from '../../errors.ts';
import { nearestName } from '../nearest-name.ts';
import type { Reproduction } from './reproduction.ts';

/** An entry of the table. Its code is loaded when it is wanted. */
export interface ReproductionEntry {
  /** What is reproduced, in a line. */
  readonly summary: string;
  load(): Promise<Reproduction>;
}

/** Reproductions by name. */
export type ReproductionTable = Readonly<Record<string, ReproductionEntry>>;

/** All of them. */
export const reproductions: ReproductionTable = {
  'batch-ot-bound': {
    summary: 'similarity of noise and data in a batch, and its bound (Generative Lines Matching Models, appendix B)',
    load: async () => (await import('./batch-ot-bound.ts')).batchOtBound,
  },
  'loom-fig9': {
    summary: 'reassignments and transport cost of LOOM by batch and caches (Faster Inference ..., figures 9 to 12)',
    load: async () => (await import('./loom-convergence.ts')).loomConvergence,
  },
  'stability-table4': {
    summary: 'bounds of W2 after pruning, trains small networks (Exploring and Exploiting Stability ..., table 4)',
    load: async () => (await import('./stability-table4.ts')).stabilityTable4,
  },
};

/** The entry of a name. @throws ConfigError if there is no reproduction of this name. */
export function findReproduction(table: ReproductionTable, name: string): ReproductionEntry {
  if (Object.hasOwn(table, name)) return table[name]!;
  const known = Object.keys(table);
  const nearest = nearestName(name, known);
  throw new ConfigError({
    expected: `the name of a figure or table: ${known.join(', ')}`,
    got: name,
    where: 'reproduce',
    ...(nearest === null ? {} : { remedy: nearest }),
  });
}
