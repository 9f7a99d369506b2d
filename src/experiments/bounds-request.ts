/** What `analyze bounds` is asked and answers: plain records between cli/ and analyze-bounds.ts. */
import type { WassersteinBound } from '../analysis/error-bound.ts';
import type { LipschitzEstimate } from '../analysis/lipschitz.ts';
import type { MatchedDistance } from '../analysis/matched-distance.ts';
import type { Estimate } from '../numerics/estimate.ts';
import type { RunConfig } from './config.ts';
import type { ParameterGroup } from './run-parameters.ts';
import type { RunEvent } from './run-types.ts';

/** A run whose distance to the exact field is to be bounded. */
export interface BoundedRun {
  /** Folder of the run, or of one of its checkpoints. */
  readonly directory: string;
  /** Samples and points that go through the network together, and the solver of the samples that are compared. */
  readonly sampling: RunConfig['sampling'];
  readonly runtime: RunConfig['runtime'];
}

/** Whose points xt are made of: data that training did not see, as [briq:26] takes them, or its own, as the theorem has it. */
export type PointsKind = 'held-out' | 'training';

/** Kinds of points by name, as the command line offers them. */
export const pointsKinds: readonly PointsKind[] = ['held-out', 'training'];

/** What is measured at how many points. */
export interface BoundsPlan {
  readonly points: PointsKind;
  /** Times: the middles of as many equal intervals of [0, 1]. */
  readonly times: number;
  /** Points at each time whose velocity error is measured. */
  readonly samples: number;
  /** Points at each time whose Jacobian's norm is measured; at most `samples`. */
  readonly jacobians: number;
  /** Relative residual at which a norm counts as found. */
  readonly tolerance: number;
  /** Products for a norm at most. */
  readonly maxIterations: number;
  /** Samples of the same noise by which runs are compared; 0: none. */
  readonly matched: number;
  /** Seed of noise and start vectors, and first seed of the samples. */
  readonly seed: number;
  /** Whether to use the averaged parameters. */
  readonly ema: boolean;
}

/** Runs that are measured at the same points. */
export interface BoundsRequest extends BoundsPlan {
  readonly runs: readonly BoundedRun[];
  /** Run whose training data make the exact field, and whose data make the points: one for all, or bounds could not be added. */
  readonly reference: string;
  /** Run whose Lipschitz constants all others are given, as in [briq:26]; null: each has its own. */
  readonly lipschitzFrom: BoundedRun | null;
  /** Folder of bounds.json, bounds.csv, lipschitz.svg and velocity-error.svg. */
  readonly outDirectory: string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** E|v - u*|^2 at one time: squared Euclidean norms, in latent units squared. */
export interface VelocityErrorAtTime {
  readonly time: number;
  readonly square: Estimate;
  /** E|u*|^2, to compare it with. */
  readonly exactSquare: Estimate;
}

/** Lipschitz estimate of a run by name. */
export interface NamedLipschitz {
  readonly name: string;
  readonly estimate: LipschitzEstimate;
}

/** What was found about a run. */
export interface RunBounds {
  readonly directory: string;
  readonly name: string;
  readonly imagesSeen: number;
  readonly parameters: ParameterGroup;
  /** Whose Lipschitz constants the bounds are made with. */
  readonly lipschitzOf: string;
  readonly velocityErrors: readonly VelocityErrorAtTime[];
  /** With the medians of the spectral norms, as [briq:26] has it. */
  readonly bound: WassersteinBound;
  /** With their maxima. */
  readonly maximumBound: WassersteinBound;
}

/** What was measured, and of what. */
export interface BoundsOutcome {
  readonly plan: BoundsPlan;
  /** Run whose data were taken, by its folder. */
  readonly reference: string;
  /** Data of the exact field. */
  readonly data: number;
  /** Numbers in a datum. */
  readonly elements: number;
  readonly runs: readonly RunBounds[];
  readonly lipschitz: readonly NamedLipschitz[];
  /** Bounds of W2 between each two runs, with the medians. */
  readonly pairwise: readonly (readonly number[])[];
  /** Distances of their samples from the same noise, which are not below W2 either; null where none were made. */
  readonly matched: readonly (readonly MatchedDistance[])[] | null;
  readonly seconds: number;
  /** Files that were written. */
  readonly paths: readonly string[];
}
