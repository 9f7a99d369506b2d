import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isPickle, refusePickle } from '../../src/formats/refuse-pickle.ts';
import { safetensor, writeSafetensors } from '../../src/formats/safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-pickle-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file with these first bytes under a name that says nothing. */
function file(bytes: Uint8Array): string {
  const path = join(folder, 'weights.safetensors');
  writeFileSync(path, bytes);
  return path;
}

describe('refusePickle', () => {
  it.each([
    ['pickles of protocol 2, as PyTorch before 1.6 wrote them', [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9]],
    ['pickles of protocol 4', [0x80, 4, 0x95, 0, 0, 0, 0, 0, 0]],
    ['zip archives, as PyTorch writes them', [0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0]],
  ])('refuses %s, whatever they are called, with the line that converts them', (_name, bytes) => {
    expect(() => refusePickle(file(Uint8Array.from(bytes)))).toThrow(/a pickle file.*python -c .*weights_only=True/s);
  });

  it('lets safetensors files pass, also one whose header is as long as a pickle begins', () => {
    const tensors = new Map([['a', safetensor(Float32Array.of(1, 2))]]);
    const plain = writeSafetensors(tensors);
    // Spaces fill the header up to 0x280 bytes: its length then begins with 0x80, 0x02.
    const padding = { note: '' };
    const missing = 0x280 - (writeSafetensors(tensors, padding)[0]! + 256 * writeSafetensors(tensors, padding)[1]!);
    const long = writeSafetensors(tensors, { note: ' '.repeat(missing) });
    expect([...long.subarray(0, 2)]).toEqual([0x80, 2]);
    for (const bytes of [plain, long]) {
      expect(isPickle(bytes)).toBe(false);
      expect(() => refusePickle(file(bytes))).not.toThrow();
    }
  });

  it('refuses files that are not there', () => {
    expect(() => refusePickle(join(folder, 'none'))).toThrow(/to be a file that can be read/);
  });
});
