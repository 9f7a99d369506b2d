/** What an experiment in stages is asked and answers: plain records between cli/ and train-stages.ts. */
import type { EncodeOutcome } from './encode-request.ts';
import type { EvaluateOutcome } from './evaluate-request.ts';
import type { FolderRequest } from './hold-run.ts';
import type { RunEvent, SampleOutcome, TrainOutcome } from './run-types.ts';
import type { StagesConfig } from './stages-config.ts';
import type { AutoencoderOutcome } from './train-autoencoder.ts';

/** Stages to be done in a run's folder. */
export interface StagesRequest extends FolderRequest {
  readonly config: StagesConfig;
  /** Aborting saves what the present stage has done and ends the run. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** A grid of samples. */
export interface GridOutcome extends SampleOutcome {
  readonly grid: string;
  /** What each row of the grid is; `null` if rows mean nothing. */
  readonly rowNames: readonly string[] | null;
}

/** What each stage has come to; `null` where it is not done. */
export interface StageOutcomes {
  readonly autoencoder: AutoencoderOutcome | null;
  readonly latents: EncodeOutcome | null;
  /** With the SVG of its losses. */
  readonly flow: (TrainOutcome & { readonly curve: string }) | null;
  readonly samples: GridOutcome | null;
  readonly metrics: EvaluateOutcome | null;
}

/** How far the stages are. */
export interface StagesOutcome {
  readonly directory: string;
  /** Whether the signal ended them; resuming goes on. */
  readonly interrupted: boolean;
  /** Time spent in this process. */
  readonly seconds: number;
  readonly stages: StageOutcomes;
}
