/** What `analyze coupling` is asked and answers: plain records between cli/ and analyze-coupling.ts. */
import type { PairingReport, WholeCost } from '../coupling/coupling.ts';
import type { CostKind } from '../coupling/transport-cost.ts';
import type { Estimate } from '../numerics/estimate.ts';
import type { RunConfig } from './config.ts';
import type { RunEvent } from './run-types.ts';

export type { WholeCost };

export interface CouplingRequest {
  /** Folders of runs, or of their checkpoints. */
  readonly runs: readonly string[];
  /** Batches that are paired, as training would go on, to measure their cost. */
  readonly batches: number;
  /** Whether the cheapest pairing of all data is computed, or bounded. */
  readonly optimum: boolean;
  /** Folder of coupling.json, coupling.csv and the charts. */
  readonly outDirectory: string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** A pairing in the log of a run. */
export interface LoggedPairing extends PairingReport {
  readonly imagesSeen: number;
}

/** The cheapest pairing of all data with as many noises: those that the coupling keeps, or fresh ones. */
export interface OptimumResult {
  readonly kind: 'exact' | 'lower bound';
  readonly pairs: number;
  /** Cost per pair of the optimum, or what it is not below. */
  readonly cost: number;
  /** What the run's pairs cost more: all that it keeps, or else those of the measured batches. */
  readonly gap: number;
  readonly seconds: number;
}

/** What was found about a run. Costs are means per pair. */
export interface CouplingAnalysis {
  readonly directory: string;
  readonly name: string;
  readonly coupling: RunConfig['coupling'];
  readonly imagesSeen: number;
  /** Data, mirrored ones counted apart. */
  readonly data: number;
  readonly elements: number;
  readonly cost: CostKind;
  readonly batches: {
    readonly rows: number;
    readonly cost: Estimate;
    /** Rows reassigned in a batch; null where nothing is assigned. */
    readonly reassigned: Estimate | null;
  };
  /** Cost of everything that is kept, exact; or of a sample by a coupling of all data; null where there is neither. */
  readonly whole: WholeCost | null;
  /** Noise seeds that are kept, found to be those that were drawn; null where none are kept. */
  readonly seeds: number | null;
  readonly optimum: OptimumResult | null;
  /** What training has logged. */
  readonly history: readonly LoggedPairing[];
}

export interface CouplingOutcome {
  readonly runs: readonly CouplingAnalysis[];
  readonly seconds: number;
  /** Files that were written. */
  readonly paths: readonly string[];
}
