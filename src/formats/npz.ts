/** NumPy's .npz files: ZIP archives of .npy members, one for each named array. */

import { zipSync } from 'fflate';
import { DataError } from '../errors.ts';
import { type NpyArray, readNpy, writeNpy } from './npy.ts';
import { readZipDirectory, readZipMember } from './zip.ts';

/** How an .npz file is read. */
export interface NpzReadOptions {
  /** Names of the arrays wanted; others are not unpacked. Null: all. Default null. */
  readonly names?: readonly string[] | null;
  /** Most bytes that the wanted arrays may take together, against archives that unpack without end. Default 4 GiB. */
  readonly mostBytes?: number;
}

const EXTENSION = '.npy';

/**
 * Reads arrays of an .npz file, by name.
 * @throws DataError if the archive or an array is damaged, a wanted name is missing, or the arrays exceed `mostBytes`.
 */
export function readNpz(bytes: Uint8Array, options: NpzReadOptions = {}): ReadonlyMap<string, NpyArray> {
  const { names = null, mostBytes = 2 ** 32 } = options;
  const members = new Map(readZipDirectory(bytes).map((member) => [member.name, member]));
  const arrayNames = [...members.keys()].filter((name) => name.endsWith(EXTENSION)).map((name) => name.slice(0, -4));
  const wanted = (names ?? arrayNames).map((name) => {
    const member = members.get(name + EXTENSION);
    if (member !== undefined) return { name, member };
    throw fault(`an array ${JSON.stringify(name)} in the archive`, `arrays ${arrayNames.join(', ').slice(0, 200)}`);
  });
  const total = wanted.reduce((sum, { member }) => sum + member.bytes, 0);
  if (total > mostBytes) throw fault(`arrays of at most ${mostBytes} bytes`, `${total} bytes`);
  return new Map(wanted.map(({ name, member }) => [name, readNpy(readZipMember(bytes, member))]));
}

function fault(expected: string, got: string): DataError {
  return new DataError({ expected, got, where: 'formats/npz' });
}

/** How an .npz file is written. */
export interface NpzWriteOptions {
  /** Deflate level from 0 (stored, as numpy.savez does) to 9. Default 0. */
  readonly level?: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
}

/** The first day that ZIP dates can hold: equal arrays give equal files. */
const FIRST_ZIP_DATE = '1980-01-01T12:00:00';

/**
 * An .npz file of named arrays, in the map's order.
 * @throws ShapeError if an array does not fit its dtype and shape.
 */
export function writeNpz(arrays: ReadonlyMap<string, NpyArray>, options: NpzWriteOptions = {}): Uint8Array {
  const { level = 0 } = options;
  const members = [...arrays].map(([name, array]) => [name + EXTENSION, writeNpy(array)] as const);
  return zipSync(Object.fromEntries(members), { level, mtime: FIRST_ZIP_DATE });
}
