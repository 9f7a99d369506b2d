/** What training and sampling are asked, what they tell while they run, and what they answer: plain records between cli/ and run.ts. */
import type { BestEvaluation, EvaluationEvent } from '../training/evaluation.ts';
import type {
  CheckpointEvent,
  CouplingEvent,
  PreliminaryEvent,
  StepEvent,
  TrainingEvent,
  ValidationEvent,
} from '../training/loop.ts';
import type { BoundsOutcome, BoundsRequest } from './bounds-request.ts';
import type { ClosedFormOutcome, ClosedFormRequest } from './closed-form-request.ts';
import type { RunConfig } from './config.ts';
import type { CouplingOutcome, CouplingRequest } from './coupling-request.ts';
import type { CurvatureOutcome, CurvatureRequest } from './curvature-request.ts';
import type { EncodeOutcome, EncodeRequest } from './encode-request.ts';
import type { EvaluateOutcome, EvaluateRequest } from './evaluate-request.ts';
import type { ExportOutcome, ExportRequest } from './export-request.ts';
import type { ImportOutcome, ImportRequest } from './import-request.ts';
import type { PruningOutcome, PruningRequest } from './pruning-request.ts';
import type { SampleSourceRequest } from './sample-source.ts';
import type { StagesOutcome, StagesRequest } from './stages-request.ts';
import type { AutoencoderOutcome, AutoencoderRequest } from './train-autoencoder.ts';

export type { CheckpointEvent, CouplingEvent, EvaluationEvent, PreliminaryEvent, StepEvent, ValidationEvent };

/** A training to be done in a run's folder. */
export interface TrainRequest {
  readonly config: RunConfig;
  /** Folder of the run; made if it does not exist. */
  readonly directory: string;
  /** Whether to go on from the newest checkpoint of the folder; otherwise the folder must be new or empty. */
  readonly resume: boolean;
  /** Aborting saves a checkpoint and ends the training. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** Samples that are being made. */
export interface SampleEvent {
  readonly kind: 'sample';
  readonly done: number;
  readonly count: number;
  readonly secondsLeft: number | null;
}

/** Pieces of work that are being done, where they are neither steps nor samples. */
export interface WorkEvent {
  readonly kind: 'work';
  /** What is being done, where there are several things. */
  readonly what?: string;
  readonly done: number;
  readonly count: number;
  /** What is counted, in the plural. */
  readonly unit: string;
  /** Until the end of everything; NaN where nothing has been timed. */
  readonly secondsLeft: number;
}

/** Anything else a person should know, as a sentence. */
export interface NoteEvent {
  readonly kind: 'note';
  readonly text: string;
}

/** What happens during a run. */
export type RunEvent = TrainingEvent | SampleEvent | WorkEvent | NoteEvent;

/** A mean loss with what it rests on. */
export interface LossEstimate {
  readonly loss: number;
  readonly standardError: number;
  readonly samples: number;
}

/** How a training ended. */
export interface TrainOutcome {
  readonly directory: string;
  readonly imagesSeen: number;
  /** Time spent in this process. */
  readonly seconds: number;
  /** Whether the signal ended it; the checkpoint then holds everything. */
  readonly interrupted: boolean;
  /** Newest checkpoint. */
  readonly checkpoint: string;
  readonly parameterCount: number;
  /** Whether evaluations that did not improve ended it before the config's number of images. */
  readonly stoppedEarly: boolean;
  /** The best evaluation and its checkpoint; null if none is kept. */
  readonly best: (BestEvaluation & { readonly checkpoint: string }) | null;
  /** Held-out loss of the averaged parameters; null if there are no held-out images, or the run was interrupted. */
  readonly validation: LossEstimate | null;
  /** Held-out loss before the first step, at the same noise and times. */
  readonly untrained: LossEstimate | null;
  /** Held-out loss of the best constant prediction; null if there are no held-out images, or the run was interrupted. */
  readonly constant: LossEstimate | null;
  /** Image files that could not be read and were left out. */
  readonly skippedImages: number;
}

/** Samples to be made, and by which model. */
export interface SampleRequest extends SampleSourceRequest {
  /** Noise seed of each sample, integers in [0, 2^32). */
  readonly seeds: readonly number[];
  /** Label of each sample; null: the classes in turn, or none for a model without labels and for exact fields. */
  readonly labels: readonly number[] | null;
  /** PNG of all samples in rows; null: none. */
  readonly gridPath: string | null;
  /** Samples in a row of the grid. */
  readonly columns: number;
  /** PNG with a sample a row and times as columns; null: none. */
  readonly trajectoryPath: string | null;
  /** Folder for one PNG a sample, named by its seed; null: none. */
  readonly imagesPath: string | null;
  /** .npz with `samples`, `seeds`, `labels` and `evaluations`; null: none. */
  readonly arraysPath: string | null;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** Samples that were made. */
export interface SampleOutcome {
  readonly samples: number;
  readonly seconds: number;
  /** Evaluations of the model for a sample: mean over the samples, guidance counted. */
  readonly evaluations: number;
  /** Whether every sample reached time 1. */
  readonly converged: boolean;
  /** Files that were written. */
  readonly paths: readonly string[];
}

/** The functions of `run.ts`, as the command line uses them. */
export interface Runner {
  train(request: TrainRequest): Promise<TrainOutcome>;
  trainAutoencoder(request: AutoencoderRequest): Promise<AutoencoderOutcome>;
  trainStages(request: StagesRequest): Promise<StagesOutcome>;
  sample(request: SampleRequest): Promise<SampleOutcome>;
  evaluate(request: EvaluateRequest): Promise<EvaluateOutcome>;
  encode(request: EncodeRequest): Promise<EncodeOutcome>;
  exportRun(request: ExportRequest): Promise<ExportOutcome>;
  importRun(request: ImportRequest): Promise<ImportOutcome>;
  analyzeBounds(request: BoundsRequest): Promise<BoundsOutcome>;
  analyzeClosedForm(request: ClosedFormRequest): Promise<ClosedFormOutcome>;
  analyzeCoupling(request: CouplingRequest): Promise<CouplingOutcome>;
  analyzeCurvature(request: CurvatureRequest): Promise<CurvatureOutcome>;
  analyzePruningStability(request: PruningRequest): Promise<PruningOutcome>;
}
