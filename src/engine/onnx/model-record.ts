/** What an ONNX file says, as plain records: names and numbers as they stand there, tensors still undecoded. */

/** A constant tensor of a file. Its elements are decoded by `decodeTensor`. */
export interface FileTensor {
  readonly name: string;
  /** Code of `TensorProto.DataType`. */
  readonly elementType: number;
  readonly shape: readonly number[];
  /** Little-endian elements (a view of the file), or `null` if they stand elsewhere. */
  readonly raw: Uint8Array | null;
  /** Chunks of `float_data` or `double_data`, little-endian. */
  readonly numbers: readonly Uint8Array[];
  /** Entries of `int32_data`, `int64_data` or `uint64_data`. */
  readonly integers: readonly bigint[];
  /** Where the elements lie outside of the file, or `null`. */
  readonly external: ExternalLocation | null;
}

/** Bytes of a file beside the model. */
export interface ExternalLocation {
  /** Path relative to the model's folder. */
  readonly location: string;
  readonly offset: number;
  /** `null`: as many bytes as the tensor has. */
  readonly length: number | null;
}

/** A named constant of a node. Its value stands under the kind's key; what the file does not say has its default. */
export interface FileAttribute {
  readonly name: string;
  readonly kind: AttributeKind;
  readonly float: number;
  readonly int: bigint;
  /** Bytes of a string. */
  readonly string: Uint8Array;
  readonly floats: readonly number[];
  readonly ints: readonly bigint[];
  readonly strings: readonly Uint8Array[];
  readonly tensor: FileTensor | null;
  readonly graph: FileGraph | null;
}

/** `other`: sparse tensors, types, lists of graphs or tensors, references to a function's attributes. */
export type AttributeKind = 'float' | 'int' | 'string' | 'tensor' | 'graph' | 'floats' | 'ints' | 'strings' | 'other';

/** One application of an operator. */
export interface FileNode {
  readonly opType: string;
  /** `''` for ONNX's own operators. */
  readonly domain: string;
  /** May be empty. */
  readonly name: string;
  /** `''` stands for an absent optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly FileAttribute[];
}

/** One axis of a declared shape: a size, a name that stands for a size, or `null` where the file says nothing. */
export type FileDimension = number | string | null;

/** Declared type of an input or output. */
export interface FileValue {
  readonly name: string;
  /** Code of `TensorProto.DataType`; `null` if the value is no tensor or the file does not say. */
  readonly elementType: number | null;
  /** `null` leaves the rank open. */
  readonly shape: readonly FileDimension[] | null;
}

/** A graph: the model's own, or the body of a control-flow node. */
export interface FileGraph {
  readonly name: string;
  readonly nodes: readonly FileNode[];
  readonly initializers: readonly FileTensor[];
  /** Names of initialisers that are stored as sparse tensors. */
  readonly sparse: readonly string[];
  readonly inputs: readonly FileValue[];
  readonly outputs: readonly FileValue[];
}

/** A whole file. */
export interface FileModel {
  readonly irVersion: number;
  readonly producer: string;
  /** Version of each operator set by domain; ONNX's own is `''`. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: FileGraph;
}
