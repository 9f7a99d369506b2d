/** One image file -> pixels of a wanted size. */
import { readFile, stat } from 'node:fs/promises';
import sharp from 'sharp';
import { reason } from './byte-stream.ts';
import type { Fit, ImageShape } from './pixel-source.ts';

/** Largest file that is opened as an image. */
const fileLimitBytes = 2 ** 28;
/** Largest image that is decoded, in pixels (8192 x 8192), so that a small file cannot ask for gigabytes. */
const pixelLimit = 2 ** 26;

const sharpFits = { crop: 'cover', stretch: 'fill', pad: 'contain' } as const;

/** What the header of an image file says. */
export interface ImageHeader {
  readonly width: number;
  readonly height: number;
  readonly grey: boolean;
}

/** What to make of an image file. */
export interface DecodeTarget {
  readonly shape: ImageShape;
  readonly fit: Fit;
}

/**
 * Width, height (after EXIF rotation) and colour of an image file, without decoding its pixels.
 *
 * @throws Error with a one-line reason if the file is unreadable or no image.
 */
export async function readImageHeader(path: string): Promise<ImageHeader> {
  const metadata = await sharp(await readImageBytes(path), { limitInputPixels: pixelLimit })
    .metadata()
    .catch((cause: unknown) => Promise.reject(new Error(reason(cause), { cause })));
  const { width, height, space, orientation = 1 } = metadata;
  if (width * height > pixelLimit) throw new Error(`${width} x ${height} exceeds the limit of ${pixelLimit} pixels`);
  const turned = orientation >= 5;
  return {
    width: turned ? height : width,
    height: turned ? width : height,
    grey: space === 'b-w' || space === 'grey16',
  };
}

/**
 * Pixels of an image file: rotated as EXIF says, transparency on white, first frame of an animation, sRGB or grey.
 *
 * @param out  uint8 [channels, height, width].
 * @throws Error with a one-line reason if the file is unreadable, no image, or cut short.
 */
export async function decodeImage(path: string, { shape, fit }: DecodeTarget, out: Uint8Array): Promise<void> {
  const { channels, height, width } = shape;
  const bytes = await readImageBytes(path);
  const { data, info } = await sharp(bytes, { failOn: 'error', limitInputPixels: pixelLimit })
    .autoOrient()
    .flatten({ background: 'white' })
    .resize(width, height, { fit: sharpFits[fit], background: 'white', kernel: 'lanczos3' })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => Promise.reject(new Error(reason(cause), { cause })));
  if (info.width !== width || info.height !== height || info.channels < channels) {
    throw new Error(`decoding gave ${info.width} x ${info.height} x ${info.channels}`);
  }
  for (let channel = 0; channel < channels; channel++) {
    for (let pixel = 0; pixel < width * height; pixel++) {
      out[channel * width * height + pixel] = data[pixel * info.channels + channel]!;
    }
  }
}

/** The bytes of a file that starts like one of the image formats we read; others never reach a decoder. */
async function readImageBytes(path: string): Promise<Buffer> {
  // Looked at before it is opened: opening a pipe would wait for its writer.
  const status = await stat(path);
  if (!status.isFile()) throw new Error('it is not a regular file');
  if (status.size === 0) throw new Error('the file is empty');
  if (status.size > fileLimitBytes) throw new Error(`${status.size} bytes exceed the limit of ${fileLimitBytes}`);
  const bytes = await readFile(path);
  if (!startsLikeImage(bytes)) throw new Error('it does not start like a PNG, JPEG, WebP, GIF, AVIF or TIFF image');
  return bytes;
}

function startsLikeImage(bytes: Buffer): boolean {
  const text = bytes.toString('latin1', 0, 12);
  return (
    text.startsWith('\x89PNG\r\n\x1a\n') ||
    text.startsWith('\xff\xd8\xff') ||
    text.startsWith('GIF8') ||
    text.startsWith('II*\0') ||
    text.startsWith('MM\0*') ||
    (text.startsWith('RIFF') && text.endsWith('WEBP')) ||
    text.slice(4, 8) === 'ftyp'
  );
}
