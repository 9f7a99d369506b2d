import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.ts';
import { type SafetensorsTensor, safetensor, tensorBytes, writeSafetensors } from '../../src/formats/safetensors.ts';
import { openSafetensorsFile, writeSafetensorsFile } from '../../src/formats/safetensors-file.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

const TENSORS = new Map<string, SafetensorsTensor>([
  ['small', safetensor(Int8Array.of(1, -2, 3))],
  // Longer than one chunk of writing, and no whole number of chunks.
  ['large', safetensor(Float32Array.from({ length: 5_000_001 }, (_, i) => i % 1000))],
  ['none', safetensor(new Float64Array(0), [0])],
]);

describe('a safetensors file', () => {
  it('holds the bytes that writeSafetensors gives, with their length and checksum reported', async () => {
    const path = join(folder, 'a.safetensors');
    const written = await writeSafetensorsFile(path, TENSORS, { format: '1' });
    const bytes = await readFile(path);
    expect(bytes.equals(writeSafetensors(TENSORS, { format: '1' }))).toBe(true);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(written).toEqual({ bytes: bytes.length, sha256 });
  });

  it('is read one tensor at a time, in any order', async () => {
    const path = join(folder, 'b.safetensors');
    await writeSafetensorsFile(path, TENSORS, { format: '1' });
    const file = await openSafetensorsFile(path);
    expect(file.metadata).toEqual({ format: '1' });
    expect(file.entries.get('large')!.shape).toEqual([5_000_001]);
    for (const name of ['none', 'small', 'large', 'small']) {
      const [read, written] = [await file.read(name), TENSORS.get(name)!];
      expect([read.dtype, read.shape]).toEqual([written.dtype, written.shape]);
      expect(Buffer.compare(tensorBytes(read), tensorBytes(written))).toBe(0);
    }
    await expect(file.read('other')).rejects.toThrow('tensor "other"; got none of that name');
    await file.close();
  });

  it('fetches tensors when their bytes are due, in the order of the file', async () => {
    const path = join(folder, 'd.safetensors');
    const fetchedNames: string[] = [];
    const deferred = new Map(
      [...TENSORS].map(([name, tensor]) => {
        const { dtype, shape } = tensor;
        const fetch = async () => {
          fetchedNames.push(name);
          return tensor;
        };
        return [name, { dtype, shape, fetch }] as const;
      }),
    );
    const written = await writeSafetensorsFile(path, deferred);
    expect((await readFile(path)).equals(writeSafetensors(TENSORS))).toBe(true);
    expect(fetchedNames).toEqual(['none', 'large', 'small']);
    expect(written).toEqual(await writeSafetensorsFile(join(folder, 'e.safetensors'), TENSORS));
    const other = { dtype: 'F32', shape: [2], fetch: async () => safetensor(Float32Array.of(1)) } as const;
    await expect(writeSafetensorsFile(path, new Map([['a', other]]))).rejects.toThrow(/`a` of F32 to be .*\[2\]/);
    const integers = { dtype: 'F32', shape: [1], fetch: async () => safetensor(Int8Array.of(1)) } as const;
    await expect(writeSafetensorsFile(path, new Map([['a', integers]]))).rejects.toThrow(/`a` to be F32; got I8/);
  });

  it('names itself when it is missing, damaged or cut while open', async () => {
    const path = join(folder, 'c.safetensors');
    await expect(openSafetensorsFile(join(folder, 'absent'))).rejects.toThrow(DataError);
    await expect(writeSafetensorsFile(join(folder, 'no', 'such'), TENSORS)).rejects.toThrow(DataError);
    await writeFile(path, 'short');
    await expect(openSafetensorsFile(path)).rejects.toThrow(path);
    await expect(openSafetensorsFile(path)).rejects.toThrow('at least 8 bytes');
    await writeSafetensorsFile(path, TENSORS);
    const file = await openSafetensorsFile(path);
    await truncate(path, 1000);
    await expect(file.read('small')).rejects.toThrow(DataError);
    await file.close();
    await expect(openSafetensorsFile(path)).rejects.toThrow('bytes after the header');
  });
});
