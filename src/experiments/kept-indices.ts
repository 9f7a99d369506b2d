/** Files that say which data of a set remain. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { DataError } from '../errors.ts';
import { readNpy } from '../formats/npy.ts';

const numbers = z.array(z.int().min(0).max(0xffffffff));
const manifest = z.union([numbers, z.looseObject({ kept: numbers }).transform(({ kept }) => kept)]);

function fault(path: string, expected: string, got: string): DataError {
  return new DataError({
    expected: `\`${path}\` to hold ${expected}`,
    got,
    where: 'experiments/kept-indices',
    remedy: 'a JSON array of numbers, a JSON object with such an array `kept`, or an .npy file of integers',
  });
}

function parse(path: string, bytes: Uint8Array): number[] {
  if (path.endsWith('.npy')) {
    const { dtype, shape, data } = readNpy(bytes);
    if (!/int/.test(dtype) || shape.length !== 1)
      throw fault(path, 'integers [kept]', `${dtype} [${shape.join(', ')}]`);
    return Array.from(data, Number);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw fault(path, 'JSON', cause instanceof Error ? cause.message : String(cause));
  }
  const read = manifest.safeParse(value);
  if (read.success) return read.data;
  throw fault(path, 'the numbers of the data that remain', 'other JSON');
}

/**
 * Numbers of the data that remain, ascending.
 * @param path   a JSON array of numbers, a JSON object with such an array `kept`, or an .npy file of integers.
 * @param count  data in the set.
 * @throws DataError if the file cannot be read, is empty, or names a datum twice or one that there is not.
 */
export async function readKeptIndices(path: string, count: number): Promise<Uint32Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw fault(path, 'the numbers of the data that remain', cause instanceof Error ? cause.message : String(cause));
  });
  const kept = parse(path, bytes).sort((a, b) => a - b);
  if (kept.length === 0) throw fault(path, 'at least one number', 'none');
  const outside = kept.find((row) => !Number.isInteger(row) || row < 0 || row >= count);
  if (outside !== undefined) throw fault(path, `numbers below ${count}, the data of the set`, String(outside));
  const twice = kept.find((row, i) => row === kept[i + 1]);
  if (twice !== undefined) throw fault(path, 'each number once', `${twice} twice`);
  return Uint32Array.from(kept);
}
