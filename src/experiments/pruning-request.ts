/** What the measurement of stability under pruning is asked and answers: plain records. */
import type { PruningStability } from '../analysis/pruning-stability.ts';
import type { MixtureOptions } from '../data/gaussian-mixture.ts';
import { SOLVERS, type SolverName } from '../sampling/solvers/solver-table.ts';
import type { RunEvent } from './run-types.ts';

/** Data of which some are removed. */
export type PruningData =
  | ({ readonly kind: 'mixture' } & Omit<MixtureOptions, 'seed'>)
  | {
      readonly kind: 'set';
      /** An embedded set, a toy density, or a path. */
      readonly source: string;
      /** Data from the start of the set; null: all. */
      readonly count: number | null;
    };

/**
 * The mixture in place of the data "Synth" of [briq:26], of which the paper tells the dimension alone. Components, spread and width are
 * such that different noises are as far apart as there (73.51 ± 1.12, appendix A.2), which wants a variance of 1 in each coordinate,
 * most of it within the components.
 */
export const synthMixture = { dimension: 4096, components: 10, spread: 0.4, width: 0.93, count: 4000 } as const;

/** Solvers that can follow the exact field to the data. */
export type FixedSolverName = Exclude<SolverName, 'dopri5'>;

/** Their names. */
export const fixedSolvers = Object.keys(SOLVERS).filter((name): name is FixedSolverName => name !== 'dopri5');

/** How trajectories are made. */
export interface PruningMethod {
  /** Noises. */
  readonly noises: number;
  readonly solver: FixedSolverName;
  /** Equal steps from time 0 to 1. */
  readonly steps: number;
  /** Seed of the noises, of the random subsets, and of drawn data. */
  readonly seed: number;
}

/** A data set that is pruned in some ways. */
export interface PruningCase extends PruningMethod {
  /** What tables and charts call it. */
  readonly name: string;
  readonly data: PruningData;
  /** Shares of the data that are removed at random. */
  readonly fractions: readonly number[];
  /** Files of data that remain, instead of random ones. */
  readonly kept: readonly string[];
}

/** What was measured of a case. */
export interface PruningResult extends PruningCase, PruningStability {
  /** Data. */
  readonly count: number;
  /** Numbers in a datum. */
  readonly elements: number;
  readonly seconds: number;
}

/** What `analyze pruning-stability` is asked. */
export interface PruningRequest {
  readonly cases: readonly PruningCase[];
  /** Folder of pruning-stability.json, pruning-stability.csv, unchanged.svg and deviation.svg. */
  readonly outDirectory: string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** What it answers. */
export interface PruningOutcome {
  readonly runs: readonly PruningResult[];
  readonly seconds: number;
  /** Files that were written. */
  readonly paths: readonly string[];
}
