/** What `analyze curvature` is asked and answers: plain records between cli/ and analyze-curvature.ts. */
import type { ReferenceOptions } from '../analysis/solver-error.ts';
import type { Estimate } from '../numerics/estimate.ts';
import type { RunConfig } from './config.ts';
import type { FlowMeasures } from './flow-measures.ts';
import type { ParameterGroup } from './run-parameters.ts';
import type { RunEvent } from './run-types.ts';

type SolverConfig = RunConfig['sampling']['solver'];

/** A run whose flow is to be measured. */
export interface FlowRequest {
  /** Folder of the run, or of one of its checkpoints. */
  readonly directory: string;
  /** Label of each sample; null: the classes in turn, or none for a model without labels. */
  readonly labels: readonly number[] | null;
  /** Solver of the trajectories: its times are those between which curvature is measured; guidance; samples made together. */
  readonly sampling: RunConfig['sampling'];
  /** Solvers whose errors are measured, by their evaluations of the model for a sample. */
  readonly solverErrors: readonly { readonly evaluations: number; readonly solver: SolverConfig }[];
  readonly runtime: RunConfig['runtime'];
}

/** Runs to be measured on the same noise. */
export interface CurvatureRequest {
  readonly runs: readonly FlowRequest[];
  /** Seed of the first sample; the others follow. */
  readonly firstSeed: number;
  /** Trajectories. */
  readonly samples: number;
  /** Samples from the first on whose solver error is measured; at most `samples`. */
  readonly referenceSamples: number;
  /** Whether to use the averaged parameters. */
  readonly ema: boolean;
  /** Folder of curvature.json, curvature.csv, curvature.svg and solver-error.svg. */
  readonly outDirectory: string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** What was measured of a run. */
export interface RunCurvature {
  readonly directory: string;
  /** What tables and charts call the run. */
  readonly name: string;
  readonly coupling: RunConfig['coupling'];
  readonly imagesSeen: number;
  readonly parameters: ParameterGroup;
  /** Numbers in a sample. */
  readonly elements: number;
  /** Labels that the samples have in turn; null: none. */
  readonly labels: readonly number[] | null;
  readonly guidance: number;
  readonly solver: SolverConfig;
  /** Times of the trajectories. */
  readonly times: readonly number[];
  /** Evaluations of the model for a trajectory, those at its times included. */
  readonly evaluations: number;
  readonly reference: Required<Omit<ReferenceOptions, 'maxEvaluations'>> & {
    readonly solver: 'dopri5';
    /** Evaluations of the model for a sample. */
    readonly meanEvaluations: number;
    readonly mostEvaluations: number;
  };
  /** Curvature in each interval between two times. */
  readonly curvature: readonly Estimate[];
  readonly measures: FlowMeasures<Estimate>;
  /** This run minus the first, seed by seed; null for the first, and where sizes or labels of the samples differ. */
  readonly difference: FlowMeasures<Estimate> | null;
}

/** How an analysis ended. */
export interface CurvatureOutcome {
  readonly firstSeed: number;
  readonly runs: readonly RunCurvature[];
  readonly seconds: number;
  /** Files that were written. */
  readonly paths: readonly string[];
}
