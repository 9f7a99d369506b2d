import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readKeptIndices } from '../../src/experiments/kept-indices.ts';
import { type NpyArray, writeNpy } from '../../src/formats/npy.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-pruning-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const npy = (array: NpyArray) => writeNpy(array);

describe('a file of kept data', () => {
  it.each([
    ['array.json', '[5, 0, 3]'],
    ['manifest.json', '{"method": "random", "kept": [3, 5, 0]}'],
    ['int64.npy', npy({ dtype: 'int64', shape: [3], data: BigInt64Array.of(5n, 3n, 0n) })],
    ['uint32.npy', npy({ dtype: 'uint32', shape: [3], data: Uint32Array.of(0, 3, 5) })],
  ] as const)('%s is read, in ascending order', async (name, content) => {
    expect(await readKeptIndices(file(name, content), 6)).toEqual(Uint32Array.of(0, 3, 5));
  });

  it.each([
    ['outside.json', '[1, 6]', 'to hold numbers below 6, the data of the set; got 6.'],
    ['twice.json', '[1, 2, 1]', 'to hold each number once; got 1 twice.'],
    ['empty.json', '[]', 'to hold at least one number; got none.'],
    ['negative.json', '[-1]', 'to hold the numbers of the data that remain; got other JSON.'],
    ['half.json', '[0.5]', 'got other JSON.'],
    ['other.json', '{"rows": [1]}', 'got other JSON.'],
    ['broken.json', '[1,', 'to hold JSON; got'],
    ['floats.npy', npy({ dtype: 'float32', shape: [1], data: Float32Array.of(1) }), 'got float32 [1].'],
    ['square.npy', npy({ dtype: 'int32', shape: [1, 1], data: Int32Array.of(1) }), 'got int32 [1, 1].'],
    ['minus.npy', npy({ dtype: 'int32', shape: [1], data: Int32Array.of(-1) }), 'got -1.'],
  ] as const)('%s is refused', async (name, content, message) => {
    await expect(readKeptIndices(file(name, content), 6)).rejects.toThrow(message);
  });

  it('that does not exist is named', async () => {
    await expect(readKeptIndices(join(folder, 'nowhere.json'), 6)).rejects.toThrow(/nowhere\.json/);
  });
});
