/** Tar archives, as far as npm packages need them: plain files with names of up to 255 characters. */
import { DataError } from '../errors.ts';

const BLOCK_BYTES = 512;

/** A text field of a header, up to its first zero. */
function textAt(block: Uint8Array, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString('utf8');
}

/** A number in octal digits. @throws DataError if there is another text. */
function octalAt(block: Uint8Array, start: number, length: number): number {
  const text = textAt(block, start, length).trim();
  if (/^[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  throw new DataError({
    expected: 'a tar archive with octal numbers',
    got: JSON.stringify(text),
    where: 'formats/tar',
  });
}

/** Sum of the header's bytes with its own field as spaces. */
function checksum(block: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) sum += i >= 148 && i < 156 ? 32 : block[i]!;
  return sum;
}

/**
 * Plain files of an archive by path, as views of it; folders, links and extended headers are skipped.
 * @throws DataError if the archive is damaged or ends too early.
 */
export function readTar(bytes: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  let at = 0;
  while (at + BLOCK_BYTES <= bytes.length && bytes[at] !== 0) {
    const header = bytes.subarray(at, at + BLOCK_BYTES);
    if (octalAt(header, 148, 8) !== checksum(header)) {
      throw new DataError({ expected: 'tar headers with their checksums', got: 'another sum', where: 'formats/tar' });
    }
    const size = octalAt(header, 124, 12);
    const start = at + BLOCK_BYTES;
    if (start + size > bytes.length) {
      throw new DataError({
        expected: `a member of ${size} bytes`,
        got: 'the end of the archive',
        where: 'formats/tar',
      });
    }
    const kind = textAt(header, 156, 1);
    const prefix = textAt(header, 345, 155);
    const name = textAt(header, 0, 100);
    if (kind === '' || kind === '0')
      files.set(prefix === '' ? name : `${prefix}/${name}`, bytes.subarray(start, start + size));
    at = start + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return files;
}
