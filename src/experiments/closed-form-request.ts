/** What `analyze closed-form` is asked and answers: plain records between cli/ and analyze-closed-form.ts. */
import type { FieldErrorAtTime } from '../analysis/field-error.ts';
import type { Estimate } from '../numerics/estimate.ts';
import { memorisedBelow } from '../numerics/nearest-ratio.ts';
import type { AlignmentResult } from './measure-alignment.ts';
import type { FieldErrorResult } from './measure-field-error.ts';
import type { HybridResult } from './measure-hybrid.ts';
import type { MemorisationResult, NearnessResult } from './measure-memorisation.ts';
import type { ParameterGroup } from './run-parameters.ts';
import type { RunEvent } from './run-types.ts';

export { type Estimate, type FieldErrorAtTime, memorisedBelow };

/** Parts of the analysis in the order of their doing; all but the first need a trained network. */
export const closedFormParts = ['alignment', 'error', 'hybrid', 'memorisation'] as const;
export type ClosedFormPart = (typeof closedFormParts)[number];

export interface ClosedFormRequest {
  /** Name or path of the data; null: the training data of the run. One of the two is given. */
  readonly data: string | null;
  /** Folder of a run, or of one of its checkpoints; null: none, and then alignment only. */
  readonly run: string | null;
  readonly parts: readonly ClosedFormPart[];
  /** Height and width of the images in pixels; null: as they are. Without a run only. */
  readonly size: number | null;
  /** Sizes at which the alignment of images is measured; null: powers of two from 8 on, and that of the images. */
  readonly sizes: readonly number[] | null;
  /** Data from the start of the set; null: all. Without a run only. */
  readonly count: number | null;
  /** Pairs of noise and datum whose alignment and error are measured. */
  readonly pairs: number;
  /** Times of the alignment: k / times for k from 0 on. */
  readonly times: number;
  /** Times of the error: k / errorTimes for k from 0 on. */
  readonly errorTimes: number;
  /** Samples of the network and of hybrid flows. */
  readonly samples: number;
  /** Times at which hybrid flows change from the exact field to the network. */
  readonly switches: readonly number[];
  /** Ratio of distances below which a sample is memorised. */
  readonly threshold: number;
  /** Whether to use the averaged parameters. */
  readonly ema: boolean;
  /** Of pairs; and of the first sample. */
  readonly seed: number;
  /** Folder of closed-form.json and of a table and charts for each part. */
  readonly outDirectory: string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** What is known of the run. */
export interface AnalysedRun {
  readonly directory: string;
  readonly imagesSeen: number;
  readonly parameters: ParameterGroup;
  /** Whether the network knows labels; it was asked without. */
  readonly labelled: boolean;
  /** Training data, mirrored ones counted apart. */
  readonly data: number;
  readonly elements: number;
}

/** Results by part; null where a part was not asked for. */
export interface ClosedFormResults {
  readonly alignment: readonly AlignmentResult[] | null;
  readonly run: AnalysedRun | null;
  readonly error: FieldErrorResult | null;
  readonly hybrid: HybridResult | null;
  readonly memorisation: MemorisationResult | null;
  /** How near training data are to each other, for hybrid flows and memorisation. */
  readonly within: NearnessResult | null;
}

export interface ClosedFormOutcome extends ClosedFormResults {
  readonly seed: number;
  readonly seconds: number;
  /** Files that were written. */
  readonly paths: readonly string[];
}
