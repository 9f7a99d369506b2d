/**
 * Writes ONNX models: plain records in, `ModelProto` bytes out. Field numbers are those of `onnx.proto`. What a model means,
 * and whether its shapes agree, is the caller's matter.
 */
import { ShapeError } from '../../errors.ts';
import { type DType, dtypeFacts, type HostArray, type HostDType, isHostArrayOf } from '../dtype.ts';
import type { OnnxModel, TensorSpec } from '../runtime.ts';
import { elementCount, formatShape } from '../shape.ts';
import {
  bytesField,
  encodeMessage,
  type Fields,
  floatField,
  messageField,
  packedFloatField,
  packedVarintField,
  stringField,
  varintField,
} from './protobuf.ts';

/** A constant tensor without a name, as attributes hold it. */
export interface OnnxTensor {
  readonly dtype: HostDType;
  readonly shape: readonly number[];
  readonly data: HostArray;
}

/** A constant of the graph. */
export interface OnnxInitializer extends OnnxTensor {
  readonly name: string;
  /** Where its bytes lie, if they are not to stand in the model itself. */
  readonly external?: ExternalPlace;
}

/** A place in a file beside the model. */
export interface ExternalPlace {
  /** Path of the file relative to the model's folder. */
  readonly location: string;
  /** First byte. */
  readonly offset: number;
}

/** A named constant of a node; which key is present says its type, e.g. `{ name: 'axis', int: -1 }`. */
export type OnnxAttribute = { readonly name: string } & (
  | { readonly int: number | bigint }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: Iterable<number | bigint> }
  | { readonly floats: Iterable<number> }
  | { readonly strings: readonly string[] }
  | { readonly tensor: OnnxTensor }
  | { readonly graph: OnnxGraph<OnnxValueInfo> }
);

/** One application of an operator. */
export interface OnnxNode {
  readonly opType: string;
  /** `''` for ONNX's own operators, `com.microsoft` for those of ONNX Runtime. */
  readonly domain: string;
  /** Appears in error messages and profiles; unique within the graph. */
  readonly name: string;
  /** Value names; `''` stands for an optional input that is absent. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly OnnxAttribute[];
}

/** Type of a graph's input or output; a name stands for a size that the caller chooses, and `null` leaves the rank open. */
export interface OnnxValueInfo extends Omit<TensorSpec, 'shape'> {
  readonly shape: readonly (number | string)[] | null;
}

/** The same of a value in between, which may be float16. */
export type OnnxInnerValue = Omit<OnnxValueInfo, 'dtype'> & { readonly dtype: DType };

/** A graph: nodes in topological order. */
export interface OnnxGraph<V extends OnnxValueInfo = TensorSpec> {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly V[];
  readonly outputs: readonly V[];
  readonly initializers: readonly OnnxInitializer[];
  /** Types of values in between that ONNX Runtime could not infer. */
  readonly known?: readonly OnnxInnerValue[];
}

export interface ModelOptions {
  /** Version of ONNX's operator set. Default 21. */
  readonly opset?: number;
  /** Version of the file format. Default 10. */
  readonly irVersion?: number;
  /** Free text by key (`metadata_props`). Default none. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Codes of `AttributeProto.AttributeType`. */
const attributeType = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, floats: 6, ints: 7, strings: 8 } as const;

/**
 * Serialised `ModelProto` of a graph; ONNX Runtime's `com.microsoft` domain, version 1, is always imported, others where nodes name them.
 * @throws ShapeError if a constant's data do not fill its shape or are of another dtype.
 */
export function encodeModel(
  graph: OnnxGraph<OnnxValueInfo>,
  { opset = 21, irVersion = 10, metadata = {} }: ModelOptions = {},
): Uint8Array {
  return encodeMessage([
    varintField(1, irVersion),
    stringField(2, 'flowloom'),
    messageField(7, graphFields(graph)),
    messageField(8, [stringField(1, ''), varintField(2, opset)]),
    messageField(8, [stringField(1, 'com.microsoft'), varintField(2, 1)]),
    ...rarelyUsedDomains(graph).map((domain) => messageField(8, [stringField(1, domain), varintField(2, 1)])),
    ...Object.entries(metadata).map((entry) => messageField(14, entryFields(entry))),
  ]);
}

function entryFields([key, value]: readonly [string, string]): Fields[] {
  return [stringField(1, key), stringField(2, value)];
}

/** Domains that nodes name besides the two that every model imports. */
function rarelyUsedDomains({ nodes }: OnnxGraph<OnnxValueInfo>): string[] {
  return [...new Set(nodes.map(({ domain }) => domain))].filter(
    (domain) => domain !== '' && domain !== 'com.microsoft',
  );
}

/**
 * The serialised graph with its inputs and outputs, as a runtime wants it.
 * @throws ShapeError if a constant's data do not fill its shape or are of another dtype.
 */
export function toOnnxModel(graph: OnnxGraph, options: ModelOptions = {}): OnnxModel {
  return { bytes: encodeModel(graph, options), inputs: graph.inputs, outputs: graph.outputs };
}

function graphFields(graph: OnnxGraph<OnnxValueInfo>): Fields[] {
  return [
    ...graph.nodes.map((node) => messageField(1, nodeFields(node))),
    stringField(2, graph.name),
    ...graph.initializers.map((tensor) => messageField(5, initializerFields(tensor))),
    ...graph.inputs.map((spec) => messageField(11, valueInfoFields(spec))),
    ...graph.outputs.map((spec) => messageField(12, valueInfoFields(spec))),
    ...(graph.known ?? []).map((spec) => messageField(13, valueInfoFields(spec))),
  ];
}

function nodeFields(node: OnnxNode): Fields[] {
  return [
    ...node.inputs.map((name) => stringField(1, name)),
    ...node.outputs.map((name) => stringField(2, name)),
    stringField(3, node.name),
    stringField(4, node.opType),
    ...node.attributes.map((attribute) => messageField(5, attributeFields(attribute))),
    stringField(7, node.domain),
  ];
}

function attributeFields(attribute: OnnxAttribute): Fields[] {
  const typed = (type: keyof typeof attributeType, ...values: Fields[]) => [
    stringField(1, attribute.name),
    ...values,
    varintField(20, attributeType[type]),
  ];
  if ('float' in attribute) return typed('float', floatField(2, attribute.float));
  if ('int' in attribute) return typed('int', varintField(3, attribute.int));
  if ('string' in attribute) return typed('string', stringField(4, attribute.string));
  if ('tensor' in attribute) return typed('tensor', messageField(5, tensorFields(attribute.tensor, attribute.name)));
  if ('graph' in attribute) return typed('graph', messageField(6, graphFields(attribute.graph)));
  if ('floats' in attribute) return typed('floats', packedFloatField(7, attribute.floats));
  if ('ints' in attribute) return typed('ints', packedVarintField(8, attribute.ints));
  return typed('strings', ...attribute.strings.map((value) => stringField(9, value)));
}

/** Code of `TensorProto.DataLocation`: the bytes lie in another file. */
const externalData = 1;

function initializerFields(tensor: OnnxInitializer): Fields[] {
  const { name, external, data } = tensor;
  if (external === undefined) return tensorFields(tensor, name);
  const place = { location: external.location, offset: `${external.offset}`, length: `${data.byteLength}` };
  return [
    ...tensorHead(tensor, name),
    ...Object.entries(place).map((entry) => messageField(13, entryFields(entry))),
    varintField(14, externalData),
  ];
}

function tensorFields(tensor: OnnxTensor, name: string): Fields[] {
  const { data } = tensor;
  // Little-endian by definition, as is every platform that ONNX Runtime's packages support.
  return [...tensorHead(tensor, name), bytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
}

/** All of a tensor but its elements. */
function tensorHead({ dtype, shape, data }: OnnxTensor, name: string): Fields[] {
  if (!isHostArrayOf(dtype, data) || data.length !== elementCount(shape)) {
    throw new ShapeError({
      expected: `constant \`${name}\` to be ${dtype} ${formatShape(shape)}`,
      got: `${data.constructor.name} of length ${data.length}`,
      where: 'engine/onnx/encodeModel',
    });
  }
  return [packedVarintField(1, shape), varintField(2, dtypeFacts[dtype].onnxCode), stringField(8, name)];
}

function valueInfoFields({ name, dtype, shape }: OnnxInnerValue): Fields[] {
  const tensorType = [varintField(1, dtypeFacts[dtype].onnxCode)];
  if (shape !== null)
    tensorType.push(
      messageField(
        2,
        shape.map((size) => messageField(1, [typeof size === 'string' ? stringField(2, size) : varintField(1, size)])),
      ),
    );
  return [stringField(1, name), messageField(2, [messageField(1, tensorType)])];
}
