/** The image sets that come with flowloom, in assets/data; their README files say what they are. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { DataError } from '../errors.ts';
import { unreadable } from './byte-stream.ts';
import { openIdxImages } from './idx-images.ts';
import { type Attribute, type ImageDataset, memoryDataset } from './image-dataset.ts';

/** Name of an embedded set. */
export type EmbeddedSet = 'fashion' | 'portraits';

const fashionClasses = [
  'T-shirt',
  'trouser',
  'pullover',
  'dress',
  'coat',
  'sandal',
  'shirt',
  'sneaker',
  'bag',
  'ankle boot',
];

function assetPath(name: string): string {
  return fileURLToPath(new URL(`../../assets/data/${name}`, import.meta.url));
}

/**
 * 10,000 training or 2,000 test images of Fashion-MNIST, 28 x 28 grey, ten balanced classes.
 *
 * @throws DataError if the files of the installation are damaged.
 */
export async function openFashion(split: 'train' | 'test'): Promise<ImageDataset> {
  const part = split === 'train' ? 'train' : 't10k';
  const images = assetPath(`fashion/${part}-images-idx3-ubyte.gz`);
  const labels = assetPath(`fashion/${part}-labels-idx1-ubyte.gz`);
  return openIdxImages('fashion', { images, labels, classes: fashionClasses });
}

/** Layout of labels.json. */
interface PortraitLabels {
  readonly count: number;
  readonly size: number;
  readonly columns: number;
  readonly attributes: readonly { readonly name: string; readonly classes: string[]; readonly values: number[] }[];
}

/**
 * 997 emoji of people, 64 x 64 RGB on white, with the attributes role (72), gender (3) and skin (6).
 *
 * @throws DataError if the files of the installation are damaged.
 */
export async function openPortraits(): Promise<ImageDataset> {
  const path = assetPath('portraits/portraits.webp');
  const { count, size, columns, attributes } = await readPortraitLabels(assetPath('portraits/labels.json'));
  const { data, info } = await sharp(path)
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => Promise.reject(unreadable(path, cause)));
  const rows = Math.ceil(count / columns);
  if (info.width !== columns * size || info.height !== rows * size || info.channels !== 3) {
    throw new DataError({
      expected: `\`${path}\` to be ${columns * size} x ${rows * size} RGB`,
      got: `${info.width} x ${info.height} x ${info.channels}`,
      where: 'data/embedded',
      remedy: 'to install flowloom again',
    });
  }
  const pixels = cutSprite(data, { count, size, columns });
  const shape = { channels: 3, height: size, width: size };
  return memoryDataset('portraits', { pixels, shape }, attributes.map(withInt32));
}

/**
 * The tiles of a sprite.
 *
 * @param sprite  uint8 [rows·size, columns·size, 3].
 * @returns uint8 [count, 3, size, size], in shared memory.
 */
function cutSprite(sprite: Uint8Array, { count, size, columns }: Omit<PortraitLabels, 'attributes'>): Uint8Array {
  const plane = size * size;
  const pixels = new Uint8Array(new SharedArrayBuffer(count * 3 * plane));
  for (let line = 0; line < count * size; line++) {
    const image = Math.floor(line / size);
    const y = line % size;
    const row = Math.floor(image / columns) * size + y;
    const from = (row * columns + (image % columns)) * size * 3;
    const to = image * 3 * plane + y * size;
    for (let x = 0; x < size; x++) {
      pixels[to + x] = sprite[from + 3 * x]!;
      pixels[to + plane + x] = sprite[from + 3 * x + 1]!;
      pixels[to + 2 * plane + x] = sprite[from + 3 * x + 2]!;
    }
  }
  return pixels;
}

async function readPortraitLabels(path: string): Promise<PortraitLabels> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function withInt32({ name, classes, values }: PortraitLabels['attributes'][number]): Attribute {
  return { name, classes, values: Int32Array.from(values) };
}
