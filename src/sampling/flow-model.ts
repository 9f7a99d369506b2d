/** What samples follow: the velocities of a trained network, or the exact ones of a data set. */
import type { VelocityField } from './solvers/solver.ts';

/** What the samples of a batch are told besides their state and time. */
export interface FlowConditions {
  /** Class of each sample, int32 [batch]; `null` for none. */
  readonly labels: Int32Array | null;
  /** Guidance weight w: velocity = v(null) + w (v(label) - v(null)); 1 is none. */
  readonly guidance: number;
  /** Aborting makes evaluations end with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A velocity field with its conditions, from normal noise at time 0 to data at time 1. */
export interface FlowModel {
  /** Name in messages. */
  readonly name: string;
  /** Numbers in a sample. */
  readonly elements: number;
  /** Classes that labels may name; the label `classes` itself is the null class. `null`: the model knows no labels. */
  readonly classes: number | null;
  /** Samples that are evaluated together. Fixed: smaller requests are filled up, so that rounding never depends on the request. */
  readonly batch: number;
  /**
   * Length of the last step, one of Euler's to time 1, of a velocity that is unbounded there; solvers then go to 1 - `lastStep`.
   * `null`: they go to 1 themselves.
   */
  readonly lastStep: number | null;
  /** The velocities of a batch. */
  velocity(conditions: FlowConditions): VelocityField<Float32Array>;
  /** Gives back what was allocated. */
  release(): void;
}
