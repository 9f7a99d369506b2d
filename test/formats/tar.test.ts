import { describe, expect, it } from 'vitest';
import { readTar } from '../../src/formats/tar.ts';
import { tarArchive } from './tar-archive.ts';

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

describe('readTar', () => {
  it('gives plain files by path, also where the path is longer than 100 characters', () => {
    const long = `${'folder/'.repeat(20)}file.txt`;
    const files = readTar(
      tarArchive([
        { name: 'package/a.txt', content: 'first' },
        { name: 'package/', content: '', kind: '5' },
        { name: 'package/link', content: '', kind: '2' },
        { name: long, content: 'x'.repeat(513) },
        { name: 'package/empty', content: '' },
      ]),
    );
    expect([...files.keys()]).toEqual(['package/a.txt', long, 'package/empty']);
    expect(text(files.get('package/a.txt'))).toBe('first');
    expect(files.get(long)).toHaveLength(513);
  });

  it('refuses archives that are damaged or cut short', () => {
    const archive = tarArchive([{ name: 'package/a.txt', content: 'x'.repeat(600) }]);
    expect(() => readTar(archive.subarray(0, 900))).toThrow(
      'Expected a member of 600 bytes; got the end of the archive.',
    );
    const changed = archive.slice();
    changed[0]! ^= 1;
    expect(() => readTar(changed)).toThrow('Expected tar headers with their checksums');
    expect(() => readTar(new Uint8Array(512).fill(65))).toThrow('octal numbers');
  });
});
