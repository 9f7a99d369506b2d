/** ONNX files as plain records. Field numbers are those of `onnx.proto`; what a graph means is `import-graph.ts`'s matter. */
import type {
  AttributeKind,
  FileAttribute,
  FileDimension,
  FileGraph,
  FileModel,
  FileNode,
  FileTensor,
  FileValue,
} from './model-record.ts';
import {
  bytesOf,
  fileFault,
  filePlace,
  floatOf,
  forEachField,
  integerOf,
  numberBytes,
  type Place,
  pushIntegers,
  textOf,
} from './protobuf-reader.ts';
import { readTensor, within } from './read-tensor.ts';

/** How deep graphs may stand within graphs. */
const DEEPEST_GRAPH = 16;

/** Kinds by the code of `AttributeProto.AttributeType`, 0 to 14. */
const attributeKinds: readonly AttributeKind[] = [
  'other',
  'float',
  'int',
  'string',
  'tensor',
  'graph',
  'floats',
  'ints',
  'strings',
];

/** Kinds by the field that holds the value: what old files without a type field mean. */
const kindOfField: ReadonlyMap<number, AttributeKind> = new Map([
  [2, 'float'],
  [3, 'int'],
  [4, 'string'],
  [5, 'tensor'],
  [6, 'graph'],
  [7, 'floats'],
  [8, 'ints'],
  [9, 'strings'],
]);

function pushFloats(target: number[], bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = 0; offset < bytes.length; offset += 4) target.push(view.getFloat32(offset, true));
}

function readAttribute(bytes: Uint8Array, place: Place, depth: number): FileAttribute {
  const lists = { floats: [] as number[], ints: [] as bigint[], strings: [] as Uint8Array[] };
  const found = { name: '', float: 0, int: 0n, string: new Uint8Array(0) };
  const nested = { tensor: null as FileTensor | null, graph: null as FileGraph | null };
  let kind: AttributeKind | null = null;
  let implied: AttributeKind = 'other';
  forEachField(bytes, place, (field) => {
    implied = kindOfField.get(field.number) ?? implied;
    if (field.number === 1) found.name = textOf(field, place);
    else if (field.number === 2) found.float = floatOf(field, place);
    else if (field.number === 3) found.int = integerOf(field, place);
    else if (field.number === 4) found.string = Uint8Array.from(bytesOf(field, place));
    else if (field.number === 5) nested.tensor = readTensor(bytesOf(field, place), within(place, 't'));
    else if (field.number === 6) nested.graph = readGraph(bytesOf(field, place), within(place, 'g'), depth + 1);
    else if (field.number === 7) pushFloats(lists.floats, numberBytes(field, 4, place));
    else if (field.number === 8) pushIntegers(lists.ints, field, place);
    else if (field.number === 9) lists.strings.push(bytesOf(field, place));
    else if (field.number === 20) kind = attributeKinds[Number(integerOf(field, place))] ?? 'other';
    else if (field.number === 21) kind = 'other';
  });
  return { ...found, ...lists, ...nested, kind: kind ?? implied };
}

function readNode(bytes: Uint8Array, place: Place, depth: number): FileNode {
  const found = { opType: '', domain: '', name: '' };
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: FileAttribute[] = [];
  forEachField(bytes, place, (field) => {
    if (field.number === 1) inputs.push(textOf(field, place));
    else if (field.number === 2) outputs.push(textOf(field, place));
    else if (field.number === 3) found.name = textOf(field, place);
    else if (field.number === 4) found.opType = textOf(field, place);
    else if (field.number === 5) {
      const inner = within(place, `attribute[${attributes.length}]`);
      attributes.push(readAttribute(bytesOf(field, place), inner, depth));
    } else if (field.number === 7) found.domain = textOf(field, place);
  });
  // The long name of ONNX's own domain.
  return { ...found, domain: found.domain === 'ai.onnx' ? '' : found.domain, inputs, outputs, attributes };
}

function readDimension(bytes: Uint8Array, place: Place): FileDimension {
  let dimension: FileDimension = null;
  forEachField(bytes, place, (field) => {
    if (field.number === 1) {
      const size = Number(integerOf(field, place));
      // Some exporters write -1 for a size that is open.
      dimension = Number.isSafeInteger(size) && size >= 0 ? size : null;
    } else if (field.number === 2) dimension = textOf(field, place);
  });
  return dimension;
}

/** Reads `TypeProto.Tensor`: element type and shape. */
function readTensorType(bytes: Uint8Array, place: Place): Omit<FileValue, 'name'> {
  let elementType: number | null = null;
  let shape: FileDimension[] | null = null;
  forEachField(bytes, place, (field) => {
    if (field.number === 1) elementType = Number(integerOf(field, place));
    else if (field.number === 2) {
      const sizes: FileDimension[] = [];
      forEachField(bytesOf(field, place), within(place, 'shape'), (dim) => {
        if (dim.number === 1) sizes.push(readDimension(bytesOf(dim, place), within(place, 'dim')));
      });
      shape = sizes;
    }
  });
  return { elementType, shape };
}

function readValue(bytes: Uint8Array, place: Place): FileValue {
  let name = '';
  let type: Omit<FileValue, 'name'> = { elementType: null, shape: null };
  forEachField(bytes, place, (field) => {
    if (field.number === 1) name = textOf(field, place);
    else if (field.number === 2) {
      forEachField(bytesOf(field, place), within(place, 'type'), (kind) => {
        // Field 1 is a tensor; sequences, maps and sparse tensors are left without a type.
        if (kind.number === 1) type = readTensorType(bytesOf(kind, place), within(place, 'type'));
      });
    }
  });
  return { name, ...type };
}

/** Name of a `SparseTensorProto`: that of its values. */
function sparseName(bytes: Uint8Array, place: Place): string {
  let name = '';
  forEachField(bytes, place, (field) => {
    if (field.number === 1) name = readTensor(bytesOf(field, place), within(place, 'values')).name;
  });
  return name;
}

function readGraph(bytes: Uint8Array, place: Place, depth: number): FileGraph {
  if (depth > DEEPEST_GRAPH) throw fileFault(place, `graphs nested at most ${DEEPEST_GRAPH} deep`, 'deeper ones');
  const found = { name: '' };
  const nodes: FileNode[] = [];
  const initializers: FileTensor[] = [];
  const sparse: string[] = [];
  const inputs: FileValue[] = [];
  const outputs: FileValue[] = [];
  forEachField(bytes, place, (field) => {
    const inner = (name: string, index: number) => within(place, `${name}[${index}]`);
    if (field.number === 1) nodes.push(readNode(bytesOf(field, place), inner('node', nodes.length), depth));
    else if (field.number === 2) found.name = textOf(field, place);
    else if (field.number === 5)
      initializers.push(readTensor(bytesOf(field, place), inner('initializer', initializers.length)));
    else if (field.number === 11) inputs.push(readValue(bytesOf(field, place), inner('input', inputs.length)));
    else if (field.number === 12) outputs.push(readValue(bytesOf(field, place), inner('output', outputs.length)));
    else if (field.number === 15)
      sparse.push(sparseName(bytesOf(field, place), inner('sparse_initializer', sparse.length)));
  });
  return { ...found, nodes, initializers, sparse, inputs, outputs };
}

function readOpset(bytes: Uint8Array, place: Place): [string, number] {
  let domain = '';
  let version = 0;
  forEachField(bytes, place, (field) => {
    if (field.number === 1) domain = textOf(field, place);
    else if (field.number === 2) version = Number(integerOf(field, place));
  });
  return [domain === 'ai.onnx' ? '' : domain, version];
}

/**
 * An ONNX file as a plain record. Tensors are views of the bytes, which must not change while the record is in use.
 * @param name  what messages call the file.
 * @throws DataError if the bytes are not a whole `ModelProto` with a graph; it names the field.
 */
export function readModel(bytes: Uint8Array, name = 'the file'): FileModel {
  const place = filePlace(name);
  const found = { irVersion: 0, producer: '' };
  const opsets = new Map<string, number>();
  let graph: FileGraph | null = null;
  forEachField(bytes, place, (field) => {
    if (field.number === 1) found.irVersion = Number(integerOf(field, place));
    else if (field.number === 2) found.producer = textOf(field, place);
    else if (field.number === 7) graph = readGraph(bytesOf(field, place), within(place, 'graph'), 0);
    else if (field.number === 8) opsets.set(...readOpset(bytesOf(field, place), within(place, 'opset_import')));
  });
  if (graph === null) throw fileFault(place, 'a graph', 'none');
  return { ...found, opsets, graph };
}
