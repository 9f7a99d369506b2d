/** What `evaluate` is asked and answers: plain records between cli/ and evaluate.ts. */
import type { Metric } from '../metrics/metric.ts';
import type { RunConfig } from './config.ts';
import type { ExactField } from './exact-model.ts';
import type { MetricName } from './metric-names.ts';
import type { ParameterGroup } from './run-parameters.ts';
import type { RunEvent } from './run-types.ts';

/** Seeds `first`, `first + 1`, ... */
export interface SeedRange {
  readonly first: number;
  readonly count: number;
}

/** Which part of a run's data its samples are compared with. */
export type Against = 'train' | 'heldOut';

interface SharedRequest {
  /** Metrics; `null`: all that can be measured. */
  readonly metrics: readonly MetricName[] | null;
  /** Name of the features; `null`: coordinates of vectors, and of images what suits them (see `openFeatures`). */
  readonly features: string | null;
  /** Samples of the reference at most, spread evenly; `null`: all. The search for copies of training samples always looks at all. */
  readonly referenceCount: number | null;
  /** What executes the graphs. */
  readonly runtime: RunConfig['runtime'];
  /** JSON file that keeps a record of each evaluation; `null`: none. */
  readonly outPath: string | null;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** Samples of a model to be judged. */
export interface EvaluateModelRequest extends SharedRequest {
  readonly kind: 'model';
  /** Folder of a run, or of one of its checkpoints; or `closed-form:` and the name or path of data, for their exact field. */
  readonly model: string;
  /** Settings of an exact field; absent for runs. */
  readonly exact?: ExactField;
  readonly seeds: SeedRange;
  readonly against: Against;
  readonly sampling: RunConfig['sampling'];
  /** Whether to use the averaged parameters. */
  readonly ema: boolean;
}

/** Images from anywhere to be judged. */
export interface EvaluateSetRequest extends SharedRequest {
  readonly kind: 'set';
  /** Images, as `openDataset` accepts them. */
  readonly source: string;
  /** Images that they are compared with. */
  readonly against: string;
  /** Which part of these. */
  readonly split: 'train' | 'test';
  /** Side to which images of folders are cropped; `null`: they have one size. */
  readonly size: number | null;
}

export type EvaluateRequest = EvaluateModelRequest | EvaluateSetRequest;

/** A request without what connects it with a terminal. */
export type EvaluateSettings =
  | Omit<EvaluateModelRequest, 'signal' | 'onEvent'>
  | Omit<EvaluateSetRequest, 'signal' | 'onEvent'>;

/** Which samples a model made. */
interface MadeSamples {
  readonly seeds: SeedRange;
  /** What of the sampling decides the samples. */
  readonly sampling: Pick<RunConfig['sampling'], 'solver' | 'guidance' | 'batchSize'>;
}

/** What was judged: samples of a run or an exact field, or images from elsewhere. */
export type Judged =
  | ({ readonly kind: 'run'; readonly imagesSeen: number; readonly parameters: ParameterGroup } & MadeSamples)
  | ({ readonly kind: 'exact'; readonly model: string } & ExactField & MadeSamples)
  | { readonly kind: 'set'; readonly source: string; readonly count: number };

/** An evaluation as it is kept: the same evaluation gives the same record. */
export interface EvaluationRecord {
  readonly generated: Judged;
  /** Network of the features and its hash. */
  readonly features: string;
  /** What the samples were compared with. */
  readonly reference: string;
  readonly metrics: readonly Metric[];
}

/** How an evaluation ended. */
export interface EvaluateOutcome {
  readonly record: EvaluationRecord;
  readonly seconds: number;
  /** Files that were written. */
  readonly paths: readonly string[];
}
