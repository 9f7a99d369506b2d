/** ONNX models as files, with the data of large constants beside them where a model would be too long. */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { DataError } from '../../errors.ts';
import { encodeModel, type OnnxGraph, type OnnxInitializer, type OnnxValueInfo } from './model-proto.ts';

type AnyGraph = OnnxGraph<OnnxValueInfo>;

/** Protobuf's messages end at 2 GiB; the nodes want some room, too. */
const largestInside = 2 ** 31 - 2 ** 27;
/** Constants below this stay in the model: shapes and axes must be known when it is read. */
const smallestOutside = 1024;
/** Places of constants are multiples of this. */
const alignment = 64;

export interface WriteModelOptions {
  /** Free text by key. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Most bytes of constants that stand in the model itself; with more, the large ones go to `<path>.data`. Default: nearly 2 GiB. */
  readonly mostInsideBytes?: number;
}

/** The graph with its constants replaced, those of its nodes' graphs, too. */
function mapInitializers(graph: AnyGraph, f: (tensor: OnnxInitializer) => OnnxInitializer): AnyGraph {
  return {
    ...graph,
    initializers: graph.initializers.map(f),
    nodes: graph.nodes.map((node) => ({
      ...node,
      attributes: node.attributes.map((attribute) =>
        'graph' in attribute ? { ...attribute, graph: mapInitializers(attribute.graph, f) } : attribute,
      ),
    })),
  };
}

/** The graph with places for its large constants in a file, packed in their order, and those constants. */
function withPlaces(graph: AnyGraph, location: string): { graph: AnyGraph; outside: OnnxInitializer[] } {
  const outside: OnnxInitializer[] = [];
  let offset = 0;
  const changed = mapInitializers(graph, (tensor) => {
    if (tensor.data.byteLength < smallestOutside) return tensor;
    const placed = { ...tensor, external: { location, offset } };
    outside.push(placed);
    offset = Math.ceil((offset + tensor.data.byteLength) / alignment) * alignment;
    return placed;
  });
  return { graph: changed, outside };
}

function bytesOfConstants(graph: AnyGraph): number {
  let total = 0;
  mapInitializers(graph, (tensor) => {
    total += tensor.data.byteLength;
    return tensor;
  });
  return total;
}

function writeData(path: string, tensors: readonly OnnxInitializer[]): void {
  const file = openSync(path, 'w');
  try {
    for (const { data, external } of tensors) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 28), external!.offset + done);
      }
    }
  } finally {
    closeSync(file);
  }
}

/**
 * Writes a model, and its data file where it needs one.
 * @returns the paths written.
 * @throws DataError if the disk refuses; ShapeError if a constant's data do not fill its shape.
 */
export function writeModel(
  path: string,
  graph: AnyGraph,
  { metadata = {}, mostInsideBytes = largestInside }: WriteModelOptions = {},
): string[] {
  const dataPath = `${path}.data`;
  const isApart = bytesOfConstants(graph) > mostInsideBytes;
  try {
    if (!isApart) {
      writeFileSync(path, encodeModel(graph, { metadata }));
      return [path];
    }
    const placed = withPlaces(graph, basename(dataPath));
    writeData(dataPath, placed.outside);
    writeFileSync(path, encodeModel(placed.graph, { metadata }));
    return [path, dataPath];
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    throw new DataError({ expected: `${path} to be written`, got: cause.message, where: 'engine/onnx', cause });
  }
}
