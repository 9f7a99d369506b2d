/** What an export is asked and what it answers: plain records between cli/ and run.ts. */
import type { RunConfig } from './config.ts';
import type { WeightNames } from './weight-names.ts';

/** Files to be made of a trained run; the names are those of the weights alone. */
export interface ExportRequest extends WeightNames {
  /** Folder of a run, or of one of its checkpoints. */
  readonly model: string;
  /** Folder for the files; made if it does not exist, files of the same names are replaced. */
  readonly folder: string;
  /** How the sampler makes samples. */
  readonly sampling: RunConfig['sampling'];
  /** Whose kernels the graphs are written for; they run elsewhere, too, but more slowly. */
  readonly provider: RunConfig['runtime']['provider'];
  /** Whether to use the averaged parameters. */
  readonly ema: boolean;
  /** Samples of a call; null: as many as the caller gives. */
  readonly batch: number | null;
  /** Whether every step of the solver is written out, for runtimes without ONNX's Loop; otherwise one step is repeated. */
  readonly unrolled: boolean;
  /** Whether attention is one operator of ONNX Runtime's own, which keeps no scores, in the place of products around a softmax. */
  readonly fusedAttention: boolean;
  /** `onnx`: networks with their weights; `safetensors`: the weights alone. */
  readonly weights: 'onnx' | 'safetensors';
  /** Most bytes of weights that stand in an ONNX file itself; with more, they go to a file beside it. */
  readonly mostInsideBytes?: number;
}

/** What was exported. */
export interface ExportOutcome {
  /** Files that were written. */
  readonly paths: readonly string[];
  /** Samples of a call; null: as many as the caller gives. */
  readonly batch: number | null;
  readonly parameterCount: number;
  /** Evaluations of the network for a sample, guidance counted. */
  readonly evaluations: number;
}
