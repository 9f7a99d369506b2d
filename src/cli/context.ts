import type { Runner } from '../experiments/run-types.ts';
import type { Terminal } from './terminal.ts';

/** What commands are given from outside. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly runner: Runner;
  /** Exit status of the process when the command ends well; 130 after an interrupt. */
  setStatus(status: number): void;
}
