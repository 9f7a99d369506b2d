/** Many images -> one PNG file. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import sharp from 'sharp';
import { ShapeError } from '../errors.ts';

/** Images with their axes. */
export interface ImageStack {
  /** uint8 [count, channels, height, width]. */
  readonly pixels: Uint8Array;
  /** [count, channels, height, width]; channels 1 (grey) or 3 (red, green, blue). */
  readonly shape: readonly [count: number, channels: number, height: number, width: number];
}

/** How images are laid out. */
export interface GridOptions {
  /** Images in a row; default: the least number that makes the grid at least as wide as high. */
  readonly columns?: number;
  /** White pixels between images and around them, before scaling; default 2. */
  readonly padding?: number;
  /** Side of the square that a pixel becomes; default 1. */
  readonly scale?: number;
}

/** A picture: uint8 [height, width, channels]. */
export interface Picture {
  readonly pixels: Uint8Array;
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

/**
 * The images in rows, left to right, on white.
 *
 * @throws ShapeError if pixels and shape do not agree, or an option is not a positive integer (padding may be 0).
 */
export function arrangeGrid({ pixels, shape }: ImageStack, options: GridOptions = {}): Picture {
  const [count, channels, height, width] = shape;
  const { columns = Math.max(1, Math.ceil(Math.sqrt(count))), padding = 2, scale = 1 } = options;
  if (pixels.length !== count * channels * height * width || (channels !== 1 && channels !== 3) || count < 1) {
    throw new ShapeError({
      expected: '`pixels` to be uint8 [count, channels (1 or 3), height, width]',
      got: `${pixels.length} bytes for [${shape}]`,
      where: 'data/image-grid',
    });
  }
  for (const [name, value] of Object.entries({ columns, padding: padding + 1, scale })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new ShapeError({
      expected: `\`${name}\` to be a positive integer`,
      got: String(value),
      where: 'data/image-grid',
    });
  }
  const across = Math.min(columns, count) * (width + padding) + padding;
  const down = Math.ceil(count / columns) * (height + padding) + padding;
  const picture = new Uint8Array(across * scale * down * scale * channels).fill(255);
  for (let from = 0; from < pixels.length; from++) {
    const x = from % width;
    const y = Math.floor(from / width) % height;
    const channel = Math.floor(from / (width * height)) % channels;
    const image = Math.floor(from / (width * height * channels));
    const left = (padding + (image % columns) * (width + padding) + x) * scale;
    const top = (padding + Math.floor(image / columns) * (height + padding) + y) * scale;
    for (let row = top; row < top + scale; row++) {
      for (let column = left; column < left + scale; column++) {
        picture[(row * across * scale + column) * channels + channel] = pixels[from]!;
      }
    }
  }
  return { pixels: picture, channels, height: down * scale, width: across * scale };
}

/**
 * Bytes of a picture as PNG; equal pictures give equal bytes.
 */
export async function encodePng({ pixels, channels, height, width }: Picture): Promise<Uint8Array> {
  const image = sharp(pixels, { raw: { width, height, channels } });
  if (channels === 1) image.toColourspace('b-w');
  return image.png({ compressionLevel: 9, adaptiveFiltering: false, palette: false }).toBuffer();
}

/**
 * Writes images in a grid to a PNG file, whole or not at all; missing folders are made.
 *
 * @throws ShapeError as `arrangeGrid`.
 */
export async function writeImageGrid(path: string, images: ImageStack, options: GridOptions = {}): Promise<void> {
  const bytes = await encodePng(arrangeGrid(images, options));
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(unfinished, bytes);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
