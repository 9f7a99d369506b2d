/** What every reproduction of a figure or table is. */
import type { RunEvent } from '../run-types.ts';

/** How much work a reproduction may be: minutes on a laptop, or what the paper did. */
export type Scale = 'laptop' | 'paper';

/** Scales by name, as the command line offers them. */
export const scales: readonly Scale[] = ['laptop', 'paper'];

/** What a prepared reproduction is given to run. */
export interface ReproductionContext {
  /** Folder for the files; made if it does not exist. */
  readonly directory: string;
  /** Aborting ends the work with an AbortError. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** What a reproduction found. */
export interface ReproductionOutcome {
  /** Tables and sentences for people, the paper's numbers beside the measured ones. */
  readonly lines: readonly string[];
  /** Whether what the paper claims was found. */
  readonly agrees: boolean;
  /** Files that were written. */
  readonly paths: readonly string[];
  /** Everything that was measured, for machines. */
  readonly result: Readonly<Record<string, unknown>>;
}

/** A reproduction with its settings, ready to run. */
export interface PreparedReproduction {
  /** All that the numbers depend on. */
  readonly settings: Readonly<Record<string, unknown>>;
  run(context: ReproductionContext): Promise<ReproductionOutcome>;
}

/** What a reproduction can be asked for. */
export interface ReproductionRequest {
  readonly scale: Scale;
  readonly seed: number;
  /** Data in place of the reproduction's own: the name of an embedded set, or a path; `null` for its own. */
  readonly data: string | null;
}

/** Prepares a reproduction. @throws ConfigError if the request does not suit it. */
export type Reproduction = (request: ReproductionRequest) => PreparedReproduction;
