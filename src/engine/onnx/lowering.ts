/** How primitives become ONNX nodes. */
import { type DType, dtypeFacts, type HostArray } from '../dtype.ts';
import type { Graph } from '../graph.ts';
import type { Provider } from '../runtime.ts';
import type { Attributes, TensorType } from '../tensor.ts';

/** Value of a node attribute; a list is of integers or of strings. */
export type OnnxAttributeValue = OnnxScalar | readonly number[] | readonly string[];
type OnnxScalar = { readonly int: number } | { readonly float: number } | string;

/** What a node may have besides its inputs. */
export interface EmitOptions {
  readonly attributes?: Readonly<Record<string, OnnxAttributeValue>>;
  /** `com.microsoft` for contributed operators, `com.microsoft.nchwc` for those of the blocked layout; default is ONNX's own domain. */
  readonly domain?: 'com.microsoft' | 'com.microsoft.nchwc';
  /** Number of outputs. Default 1. */
  readonly outputs?: number;
  /** Type of the only output, where ONNX Runtime could not infer its shape; optimisers go by shapes. */
  readonly type?: TensorType;
}

/** Collects ONNX nodes; values are named by strings. */
export interface Emitter {
  readonly provider: Provider;
  /** Channels that the provider's blocked layout keeps together; `null` where the model must do without that layout. */
  readonly channelBlock: number | null;
  /** Appends a node and returns the name of its first output. */
  node(opType: string, inputs: readonly string[], options?: EmitOptions): string;
  /** Appends a node and returns the names of all its outputs; `''` among inputs means an absent optional one. */
  nodes(opType: string, inputs: readonly string[], options: EmitOptions & { readonly outputs: number }): string[];
  /** Name of a constant, shared between equal ones. */
  constant(dtype: DType, shape: readonly number[], elements: HostArray): string;
  /** Constant of int64 numbers, [count]. */
  ints(values: readonly number[]): string;
  /** Constant scalar, []. */
  scalar(dtype: DType, value: number): string;
  /** Keeps the model from an optimiser of ONNX Runtime that would harm it, by the optimiser's name. */
  keepFrom(optimizer: string): void;
  /** Emits a whole graph on the named inputs and returns the names of its outputs. */
  graph(graph: Graph, inputs: readonly string[]): string[];
}

/** One call as a lowering sees it. */
export interface LoweringCall<A extends object = Attributes> {
  /** Names of the inputs. */
  readonly inputs: readonly string[];
  readonly inputTypes: readonly TensorType[];
  readonly outputTypes: readonly TensorType[];
  readonly attributes: A;
}

/** Emits the nodes of one call and returns the names of its outputs. */
export type Lower<A extends object = Attributes> = (emit: Emitter, call: LoweringCall<A>) => readonly string[];

/** Lowering for each provider; one without its own entry uses `default`. */
export interface Lowering<A extends object = Attributes> {
  readonly default: Lower<A>;
  readonly cpu?: Lower<A>;
  readonly webgpu?: Lower<A>;
  readonly cuda?: Lower<A>;
}

/** Name of the value as another dtype. */
export function emitCast(emit: Emitter, name: string, to: DType): string {
  return emit.node('Cast', [name], { attributes: { to: { int: dtypeFacts[to].onnxCode } } });
}

/** Sums in float32 what is float16: `reduce` emits the reduction of a value that it is given by name. */
export function emitReduction(
  emit: Emitter,
  { name, dtype }: { readonly name: string; readonly dtype: DType },
  reduce: (name: string) => string,
): string {
  if (dtype !== 'float16') return reduce(name);
  return emitCast(emit, reduce(emitCast(emit, name, 'float32')), dtype);
}
