/**
 * What flowloom asks of a machine that executes graphs. `native/` implements it on the ONNX Runtime C API; a browser runtime
 * can implement it on onnxruntime-web. Everything above this file sees only these interfaces.
 */
import type { HostArray, HostDType } from './dtype.ts';

/** Execution provider: where kernels run. */
export type Provider = 'cpu' | 'webgpu' | 'cuda';

/** Name, dtype and shape of a graph's input or output. Shapes are fixed: every dimension is a known integer. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: HostDType;
  readonly shape: readonly number[];
}

/** A serialised ONNX model with the facts a runtime needs to bind it. */
export interface OnnxModel {
  /** ModelProto bytes. */
  readonly bytes: Uint8Array;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Whether an output may be given the tensor of an input, as it is written when nothing reads that input any more. Absent: never. */
  readonly mayOverwrite?: (output: string, input: string) => boolean;
  /** Graph optimisers that would change what the model is for, e.g. merge recomputed values with the originals. */
  readonly disabledOptimizers?: readonly string[];
}

export interface RuntimeOptions {
  readonly provider?: Provider;
  /** Intra-operator threads of each session; `null`: one for each physical core. */
  readonly threads?: number | null;
  /** Worker threads spin while they wait: faster alone, wasteful where processes share cores. */
  readonly spinning?: boolean;
}

export interface SessionOptions {
  /** Names of graph optimisers to disable, e.g. `CommonSubexpressionElimination` where a graph rematerialises. */
  readonly disabledOptimizers?: readonly string[];
  /** Path prefix of a profile to write; `null` profiles nothing. */
  readonly profilePrefix?: string | null;
}

/** A tensor that lives in the runtime's memory; it never moves and keeps its shape. */
export interface DeviceTensor {
  readonly spec: TensorSpec;
  /** Overwrites the contents. @throws ShapeError if the length or the array type differs. */
  write(values: HostArray): void;
  /** A copy of the contents. */
  read(): HostArray;
  /** The elements in place, without a copy, where the memory is the host's; `null` on another device. Valid until `release`. */
  readonly view: HostArray | null;
  /** Gives the memory back; later use throws. Idempotent. */
  release(): void;
}

/** Which tensors a run reads and writes; made once, used for many runs. */
export interface Binding {
  release(): void;
}

export interface RunOptions {
  /** Aborting stops the run at the next kernel; `run` then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Session {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /**
   * Binds every input and output by name.
   * @throws ShapeError if a name is missing or a spec differs; no output may be a tensor that is also an input, unless the model says
   *   that it may overwrite it.
   */
  bind(inputs: Readonly<Record<string, DeviceTensor>>, outputs: Readonly<Record<string, DeviceTensor>>): Binding;
  /** Executes off the main thread; resolves when the outputs are written. One run of a session at a time. */
  run(binding: Binding, options?: RunOptions): Promise<void>;
  /** Ends profiling and returns the path of the profile, or `null` where none was asked for. */
  endProfiling(): string | null;
  release(): void;
}

export interface AllocateOptions {
  /**
   * `host` asks for host memory even where kernels run on another device: for batches that the host fills while a run is in
   * progress, and for results. Default `device`.
   */
  readonly residence?: 'device' | 'host';
}

export interface Runtime {
  readonly provider: Provider;
  /** Version of ONNX Runtime. */
  readonly version: string;
  readonly threads: number | null;
  /** Channels that the provider's blocked layout keeps together, for `emitModel`; `null` where there is no such layout. */
  readonly channelBlock: number | null;
  createSession(model: OnnxModel, options?: SessionOptions): Promise<Session>;
  /** Zero-filled. */
  allocate(spec: TensorSpec, options?: AllocateOptions): DeviceTensor;
  /** Releases everything that this runtime made and that is not yet released. */
  release(): void;
}
