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
  'efm-fig1': {
    summary:
      'when the target of training stops being random, by dimension (On the Closed-Form of Flow Matching, figure 1)',
    load: async () => (await import('./efm-fig1.ts')).efmFig1,
  },
  'efm-fig2': {
    summary:
      'error of networks trained on subsets to their exact field (On the Closed-Form of Flow Matching, figure 2)',
    load: async () => (await import('./efm-fig2.ts')).efmFig2,
  },
  'efm-fig3': {
    summary:
      'samples that follow the exact field first and a network then (On the Closed-Form of Flow Matching, figure 3)',
    load: async () => (await import('./efm-fig3.ts')).efmFig3,
  },
  'loom-fig9': {
    summary: 'reassignments and transport cost of LOOM by batch and caches (Faster Inference ..., figures 9 to 12)',
    load: async () => (await import('./loom-convergence.ts')).loomConvergence,
  },
  'stability-fig2': {
    summary: 'noises whose datum pruning leaves, in the exact flow (Stability in Latent Flow Matching, figure 2)',
    load: async () => (await import('./stability-fig2.ts')).stabilityFig2,
  },
  'stability-fig8': {
    summary: 'path deviation of the exact flow under pruning (Stability in Latent Flow Matching, figure 8)',
    load: async () => (await import('./stability-fig8.ts')).stabilityFig8,
  },
  'stability-fig9': {
    summary: 'noises whose datum pruning leaves, by dimension (Stability in Latent Flow Matching, figure 9)',
    load: async () => (await import('./stability-fig9.ts')).stabilityFig9,
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
