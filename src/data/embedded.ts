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
  const pixels = new Uint8Array(new SharedArrayBuffer(count * 3 * size * size));
  for (let to = 0; to < pixels.length; to++) {
    const x = to % size;
    const y = Math.floor(to / size) % size;
    const channel = Math.floor(to / (size * size)) % 3;
    const image = Math.floor(to / (3 * size * size));
    const column = (image % columns) * size + x;
    const row = Math.floor(image / columns) * size + y;
    pixels[to] = data[(row * info.width + column) * 3 + channel]!;
  }
  const shape = { channels: 3, height: size, width: size };
  return memoryDataset('portraits', { pixels, shape }, attributes.map(withInt32));
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
