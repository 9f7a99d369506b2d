import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

/** What a test image looks like. */
export interface TestImage {
  readonly width?: number;
  readonly height?: number;
  /** Red, green, blue, and alpha if there are four. */
  readonly colour?: readonly number[];
  readonly format?: 'png' | 'jpeg' | 'webp' | 'gif' | 'avif' | 'tiff';
}

/** Bytes of an image file of one colour. */
export async function imageFile({ width = 4, height = 4, colour = [255, 0, 0], format = 'png' }: TestImage = {}) {
  const pixels = Uint8Array.from({ length: width * height * colour.length }, (_, i) => colour[i % colour.length]!);
  const channels = colour.length === 4 ? 4 : colour.length === 1 ? 1 : 3;
  const image = sharp(pixels, { raw: { width, height, channels } });
  if (channels === 1) image.toColourspace('b-w');
  return image.toFormat(format, format === 'png' ? {} : { quality: 100 }).toBuffer();
}

/** Writes files below a folder, by relative path. */
export function writeFiles(folder: string, files: { readonly [path: string]: Uint8Array | string }): string {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  return folder;
}

/** An image file without structure, so that it is long. */
export function noiseFile(
  side: number,
  format: 'png' | 'jpeg' | 'webp' | 'gif' | 'avif' | 'tiff' = 'png',
): Promise<Buffer> {
  const pixels = Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * i * 31 + i * 7) % 251);
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .toFormat(format)
    .toBuffer();
}

/** An image file whose header is whole and whose pixels are cut short. */
export async function cutFile(
  side: number,
  format: 'png' | 'jpeg' | 'webp' | 'gif' | 'avif' = 'png',
): Promise<Uint8Array> {
  const bytes = await noiseFile(side, format);
  return bytes.subarray(0, Math.floor(bytes.length / 2));
}
