/** What an import is asked and what it answers: plain records between cli/ and run.ts. */
import type { RunConfig } from './config.ts';
import type { WeightNames } from './weight-names.ts';

/** Weights to become a run. */
export interface ImportRequest extends WeightNames {
  /** A safetensors file. */
  readonly file: string;
  /** Config of the run that is made; its model is the one that the weights are of. */
  readonly config: RunConfig;
  /** Folder of the run; new or empty. */
  readonly directory: string;
  /** Whether to import what fits where not everything does; missing parameters keep their starting values. */
  readonly lenient: boolean;
}

/** What became of a tensor of the file. */
export interface ImportedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Parameters that it holds; empty if it was left out. */
  readonly paths: readonly string[];
}

/** A run that was made of weights. */
export interface ImportOutcome {
  readonly directory: string;
  readonly checkpoint: string;
  readonly parameterCount: number;
  readonly tensors: readonly ImportedTensor[];
  /** Parameters that the file lacks; there are some only if the request is lenient. */
  readonly missing: readonly string[];
}
