/** The IDX format of MNIST and its relatives: big-endian header (type, axes), then unsigned bytes; plain or gzip. */
import { DataError } from '../errors.ts';
import { type ByteStream, openByteStream } from './byte-stream.ts';

/** Type code of unsigned bytes, the only one that image sets use. */
const unsignedByte = 0x08;

/** Largest set that is read into memory. */
export const memoryLimitBytes = 2 ** 32;

/** An array of unsigned bytes with its axes. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** uint8 of product(shape), in shared memory, so that worker threads read it without a copy. */
  readonly values: Uint8Array;
}

/**
 * Contents of an IDX file.
 *
 * The header is believed only as far as the file's size allows, so a damaged header cannot cause a large allocation.
 * @throws DataError if the file is unreadable, not IDX of unsigned bytes, shorter or longer than its header says.
 */
export async function readIdx(path: string): Promise<IdxArray> {
  const stream = await openByteStream(path);
  try {
    const shape = await readShape(stream, path);
    const bytes = shape.reduce((product, length) => product * length, 1);
    const most = Math.min(stream.mostBytes, memoryLimitBytes);
    if (bytes > most) {
      throw fault(path, `at most ${most} bytes of values, as its size allows`, `[${shape}] = ${bytes} bytes`);
    }
    const values = new Uint8Array(new SharedArrayBuffer(bytes));
    const read = await stream.fill(values);
    if (read < bytes) throw fault(path, `[${shape}] = ${bytes} bytes of values`, `${read} bytes`);
    if ((await stream.fill(new Uint8Array(1))) > 0) throw fault(path, `to end after [${shape}] values`, 'more bytes');
    return { shape, values };
  } finally {
    await stream.close();
  }
}

async function readShape(stream: ByteStream, path: string): Promise<number[]> {
  const magic = new Uint8Array(4);
  const read = await stream.fill(magic);
  const axes = magic[3]!;
  if (read < 4 || magic[0] !== 0 || magic[1] !== 0 || magic[2] !== unsignedByte || axes < 1 || axes > 4) {
    const got = read < 4 ? `${read} bytes` : `first bytes ${[...magic].join(' ')}`;
    throw fault(path, 'to start with the IDX header 0 0 8 (unsigned bytes) and 1 to 4 axes', got);
  }
  const header = new Uint8Array(4 * axes);
  if ((await stream.fill(header)) < header.length) throw fault(path, `a header of ${axes} axes`, 'the end of the file');
  const view = new DataView(header.buffer);
  return Array.from({ length: axes }, (_, axis) => view.getUint32(4 * axis));
}

/** Bytes of an IDX file that holds `values` with axes `shape`; the inverse of `readIdx`. */
export function encodeIdx(shape: readonly number[], values: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + values.length);
  bytes.set([0, 0, unsignedByte, shape.length]);
  const view = new DataView(bytes.buffer);
  shape.forEach((length, axis) => {
    view.setUint32(4 + 4 * axis, length);
  });
  bytes.set(values, 4 + 4 * shape.length);
  return bytes;
}

function fault(path: string, expected: string, got: string): DataError {
  return new DataError({
    expected: `\`${path}\` to be an IDX file: ${expected}`,
    got,
    where: 'data/idx',
    remedy: 'to fetch the file again, or another path',
  });
}
