/** ONNX models as files, with the data of large constants beside them where a model would be too long. */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { DataError } from '../../errors.ts';
import { encodeModel, type OnnxGraph, type OnnxInitializer, type OnnxValueInfo } from './model-proto.ts';

/** Protobuf's messages end at 2 GiB; the nodes want some room, too. */
export const largestInside = 2 ** 31 - 2 ** 27;
/** Constants below this stay in the model: shapes and axes must be known when it is read. */
const smallestOutside = 1024;
/** Places of constants are multiples of this. */
const alignment = 64;

export interface WriteModelOptions {
  /** Free text by key. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Most bytes of constants that stand in the model itself; with more, the large ones go to `<path>.data`. Default `largestInside`. */
  readonly mostInsideBytes?: number;
}

/** Constants with the places of the large ones in a file, packed in their order. */
function placed(initializers: readonly OnnxInitializer[], location: string): OnnxInitializer[] {
  let offset = 0;
  return initializers.map((tensor) => {
    if (tensor.data.byteLength < smallestOutside) return tensor;
    const external = { location, offset };
    offset = Math.ceil((offset + tensor.data.byteLength) / alignment) * alignment;
    return { ...tensor, external };
  });
}

function writeData(path: string, initializers: readonly OnnxInitializer[]): void {
  const file = openSync(path, 'w');
  try {
    for (const { data, external } of initializers) {
      if (external === undefined) continue;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 28), external.offset + done);
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
  graph: OnnxGraph<OnnxValueInfo>,
  { metadata = {}, mostInsideBytes = largestInside }: WriteModelOptions = {},
): string[] {
  const total = graph.initializers.reduce((sum, { data }) => sum + data.byteLength, 0);
  const dataPath = `${path}.data`;
  const isApart = total > mostInsideBytes;
  const initializers = isApart ? placed(graph.initializers, basename(dataPath)) : graph.initializers;
  try {
    if (isApart) writeData(dataPath, initializers);
    writeFileSync(path, encodeModel({ ...graph, initializers }, { metadata }));
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    throw new DataError({ expected: `${path} to be written`, got: cause.message, where: 'engine/onnx', cause });
  }
  return isApart ? [path, dataPath] : [path];
}
