/** Tensor data in files beside a model. Nothing outside of the model's folder is ever opened. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import { DataError } from '../../errors.ts';
import type { ExternalLocation } from './model-record.ts';
import type { ReadExternal } from './read-tensor.ts';

function externalFault(location: string, expected: string, got: string, cause?: unknown): DataError {
  return new DataError({
    expected: `external data ${JSON.stringify(location).slice(0, 200)} ${expected}`,
    got,
    where: 'engine/onnx external-data',
    cause,
  });
}

/** @throws DataError unless the text is a plain relative path that stays where it starts. */
function checkRelative(location: string): void {
  const parts = location.split('/');
  const plain =
    location !== '' &&
    !location.includes('\0') &&
    !location.includes('\\') &&
    !/^[A-Za-z]:/.test(location) &&
    !posix.isAbsolute(location) &&
    parts.every((part) => part !== '..');
  if (!plain) throw externalFault(location, 'to lie in the folder of the model', 'a path that may leave it');
}

/** The file's real path. @throws DataError if there is none, it is no plain file, or links lead out of the folder. */
function confinedPath(folder: string, location: string): string {
  checkRelative(location);
  let path: string;
  let root: string;
  try {
    root = realpathSync(folder);
    path = realpathSync(join(root, location));
  } catch (cause) {
    throw externalFault(location, 'to exist beside the model', 'no such file', cause);
  }
  if (!path.startsWith(root.endsWith(sep) ? root : root + sep))
    throw externalFault(location, 'to lie in the folder of the model', 'a link that leaves it');
  if (!lstatSync(path).isFile()) throw externalFault(location, 'to be a file', 'something else');
  return path;
}

function readWhole(descriptor: number, bytes: Uint8Array, { location, offset }: ExternalLocation): void {
  let done = 0;
  while (done < bytes.length) {
    const count = readSync(descriptor, bytes, done, Math.min(bytes.length - done, 2 ** 30), offset + done);
    if (count === 0) throw externalFault(location, 'to be read whole', 'an early end');
    done += count;
  }
}

function opened(location: string, path: string, flags: number): number {
  try {
    return openSync(path, flags);
  } catch (cause) {
    throw externalFault(location, 'to be readable', cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/**
 * Reads tensor data beside a model.
 * @param folder  the model's folder; `null` where the model did not come from a file: external data are then refused.
 */
export function externalReader(folder: string | null): ReadExternal {
  return (place, bytes) => {
    const { location, offset, length } = place;
    if (folder === null) {
      const remedy = 'a model with a folder';
      throw new DataError({ expected: 'a model that holds its own data', got: 'external data', remedy });
    }
    if (length !== null && length !== bytes)
      throw externalFault(location, `of ${bytes} bytes for its tensor`, `${length}`);
    // What is a plain file now may be a link or a pipe when it is opened: neither is followed nor waited for.
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
    const descriptor = opened(location, confinedPath(folder, location), flags);
    try {
      const status = fstatSync(descriptor);
      if (!status.isFile() || offset + bytes > status.size)
        throw externalFault(location, `to hold ${bytes} bytes from byte ${offset}`, `${status.size} bytes in all`);
      const contents = new Uint8Array(bytes);
      readWhole(descriptor, contents, place);
      return contents;
    } finally {
      closeSync(descriptor);
    }
  };
}
