/** The binary format of CIFAR-10 and CIFAR-100: records of one or two label bytes and 3 x 32 x 32 pixels, channels first. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DataError } from '../errors.ts';
import { openByteStream, unreadable } from './byte-stream.ts';
import { memoryLimitBytes } from './idx.ts';
import { type Attribute, type ImageDataset, memoryDataset } from './image-dataset.ts';

const shape = { channels: 3, height: 32, width: 32 };
const pixelBytes = 3 * 32 * 32;

/** A label byte of a record. */
interface LabelByte {
  readonly name: string;
  readonly classes: number;
  /** File beside the data with one class name a line. */
  readonly namesFile: string;
}

/** Label bytes of a record, in file order; the last one is the one that is predicted by custom. */
const labelBytes = {
  cifar10: [{ name: 'label', classes: 10, namesFile: 'batches.meta.txt' }],
  cifar100: [
    { name: 'coarse', classes: 20, namesFile: 'coarse_label_names.txt' },
    { name: 'fine', classes: 100, namesFile: 'fine_label_names.txt' },
  ],
} as const satisfies { readonly [name: string]: readonly LabelByte[] };

/** Which of the two sets. */
export type CifarKind = keyof typeof labelBytes;

/** Which set a file belongs to, told by its length; null if neither. */
export function cifarKindOf(path: string): CifarKind | null {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes === 0) return null;
  if (bytes % (pixelBytes + 1) === 0) return 'cifar10';
  return bytes % (pixelBytes + 2) === 0 ? 'cifar100' : null;
}

/**
 * Images of one or several CIFAR files, in the order given. Class names are read from the files beside them that the
 * original archives hold; without those, classes are named by their number.
 *
 * @throws DataError if a file is unreadable, is not made of whole records, or holds a label out of range.
 */
export async function openCifar(name: string, files: readonly string[], kind: CifarKind): Promise<ImageDataset> {
  const labels: readonly LabelByte[] = labelBytes[kind];
  const record = labels.length + pixelBytes;
  const counts = files.map((file) => recordsOf(file, record));
  const count = counts.reduce((sum, records) => sum + records, 0);
  const pixels = new Uint8Array(new SharedArrayBuffer(count * pixelBytes));
  const values = labels.map(() => new Int32Array(count));
  const bytes = new Uint8Array(record);
  let row = 0;
  for (const [index, file] of files.entries()) {
    const stream = await openByteStream(file);
    try {
      for (let i = 0; i < counts[index]!; i++, row++) {
        if ((await stream.fill(bytes)) < record) throw fault(file, `${counts[index]} records`, `${i}`);
        pixels.set(bytes.subarray(labels.length), row * pixelBytes);
        labels.forEach((label, axis) => {
          if (bytes[axis]! >= label.classes)
            throw fault(file, `labels below ${label.classes}`, `${bytes[axis]} in record ${i}`);
          values[axis]![row] = bytes[axis]!;
        });
      }
    } finally {
      await stream.close();
    }
  }
  const attributes = labels.map(
    (label, axis): Attribute => ({ name: label.name, classes: classNames(label, files[0]!), values: values[axis]! }),
  );
  return memoryDataset(name, { pixels, shape }, attributes.reverse());
}

function recordsOf(file: string, record: number): number {
  let bytes: number;
  try {
    bytes = statSync(file).size;
  } catch (cause) {
    throw unreadable(file, cause);
  }
  if (bytes === 0 || bytes % record !== 0) throw fault(file, `whole records of ${record} bytes`, `${bytes} bytes`);
  if (bytes > memoryLimitBytes) throw fault(file, `at most ${memoryLimitBytes} bytes`, `${bytes} bytes`);
  return bytes / record;
}

function classNames({ classes, namesFile }: LabelByte, file: string): string[] {
  const path = join(dirname(file), namesFile);
  const names = existsSync(path)
    ? readFileSync(path, 'utf8')
        .split(/\r?\n/)
        .filter((line) => line !== '')
    : [];
  return names.length === classes ? names : Array.from({ length: classes }, (_, label) => String(label));
}

function fault(file: string, expected: string, got: string): DataError {
  return new DataError({
    expected: `\`${file}\` to hold CIFAR's binary records: ${expected}`,
    got,
    where: 'data/cifar',
    remedy: 'the archive named "binary version", unpacked anew',
  });
}
