/** Folders of image files: `folder/class/image.png`, or `folder/image.png` without classes. */
import { type Dirent, readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { DataError } from '../errors.ts';
import { reason, unreadable } from './byte-stream.ts';
import { type ImageHeader, readImageHeader } from './decode-image.ts';
import { eachConcurrently } from './each-concurrently.ts';
import { createCache, strictFault } from './file-pixels.ts';
import { type Attribute, type ImageDataset, imageDataset } from './image-dataset.ts';
import { type Fit, type ImageShape, imageBytes, type SkippedImage } from './pixel-source.ts';
import { readPixels } from './read-pixels.ts';

const extensions = new Set(['.png', '.jpg', '.jpeg', '.webp', '.gif', '.avif', '.tif', '.tiff']);
/** Folders are read this deep below a class. */
const deepest = 8;

/** How a folder of images is read. */
export interface ImageFolderOptions {
  /** Height and width, in pixels; null: that of the images, which must then all be equal. */
  readonly size: number | null;
  readonly fit: Fit;
  /** 1 or 3; null: 1 if every image is grey, else 3. */
  readonly channels: 1 | 3 | null;
  /** Whether an unreadable image is an error; otherwise it is left out and listed in `skipped`. */
  readonly strict: boolean;
  /** What is looked at on opening: nothing, every file's header (a fraction of a millisecond each), or all pixels. */
  readonly verify: 'nothing' | 'headers' | 'pixels';
  /** Decoded images are kept in memory if all of them fit into this many bytes. */
  readonly cacheBytes: number;
}

interface ListedFile {
  readonly path: string;
  readonly label: number;
}

interface Listing {
  readonly files: readonly ListedFile[];
  readonly classes: readonly string[];
}

/**
 * The images of a folder. Subfolders are classes, in the order of their names (compared by UTF-16 code unit, so equal on every system);
 * images in deeper folders belong to the class above. Hidden files and files of other types are not looked at.
 *
 * @throws DataError if the folder is unreadable or holds no image, or if images differ in size and no size is given.
 */
export async function openImageFolder(folder: string, options: ImageFolderOptions): Promise<ImageDataset> {
  const listing = listImages(folder);
  const examined = await examine(listing.files, options);
  const kept = examined.kept;
  if (kept.length === 0) {
    const first = examined.skipped[0];
    throw new DataError({
      expected: `\`${folder}\` to hold a readable image`,
      got:
        first === undefined
          ? 'none'
          : `${examined.skipped.length} unreadable ones, such as ${first.file}: ${first.reason}`,
      where: 'data/image-folder',
      remedy: 'a folder with PNG, JPEG, WebP, GIF, AVIF or TIFF files',
    });
  }
  const shape = commonShape(folder, kept, options);
  const cache = createCache(kept.length, imageBytes(shape), options.cacheBytes);
  const { fit, strict } = options;
  const attributes: Attribute[] =
    listing.classes.length === 0
      ? []
      : [{ name: 'label', classes: listing.classes, values: Int32Array.from(kept, ({ file }) => file.label) }];
  const dataset = imageDataset({
    name: folder,
    attributes,
    skipped: examined.skipped,
    source: {
      shape,
      rows: Uint32Array.from(kept, (_, row) => row),
      store: { kind: 'files', files: kept.map(({ file }) => file.path), fit, strict, cache },
    },
  });
  return options.verify === 'pixels' ? withoutUnreadable(dataset) : dataset;
}

/** The image files of a folder with their classes, in a fixed order. */
function listImages(folder: string): Listing {
  const entries = readFolder(folder);
  const flat = entries.filter((entry) => isImage(entry)).map((entry) => join(folder, entry.name));
  const classes: string[] = [];
  const labelled: ListedFile[] = [];
  for (const entry of entries) {
    if (!isFolder(folder, entry)) continue;
    const paths = imagesBelow(join(folder, entry.name), deepest);
    if (paths.length === 0) continue;
    for (const path of paths) labelled.push({ path, label: classes.length });
    classes.push(entry.name);
  }
  if (flat.length > 0 && labelled.length > 0) {
    throw new DataError({
      expected: `\`${folder}\` to hold either images or a folder for each class`,
      got: `both: ${flat[0]} and ${labelled[0]!.path}`,
      where: 'data/image-folder',
      remedy: 'to move one of them away',
    });
  }
  return { files: flat.length > 0 ? flat.map((path) => ({ path, label: 0 })) : labelled, classes };
}

function imagesBelow(folder: string, depth: number): string[] {
  return readFolder(folder).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (isImage(entry)) return [path];
    return entry.isDirectory() && depth > 0 ? imagesBelow(path, depth - 1) : [];
  });
}

function readFolder(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => !name.startsWith('.'))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (cause) {
    throw unreadable(folder, cause);
  }
}

/** Whether an entry has an image's name; what it contains is looked at later. */
function isImage(entry: Dirent): boolean {
  return !entry.isDirectory() && extensions.has(extname(entry.name).toLowerCase());
}

/** Whether an entry is a folder or a link to one. */
function isFolder(folder: string, entry: Dirent): boolean {
  if (entry.isDirectory()) return true;
  return (
    entry.isSymbolicLink() && statSync(join(folder, entry.name), { throwIfNoEntry: false })?.isDirectory() === true
  );
}

interface Examined {
  readonly kept: readonly { readonly file: ListedFile; readonly header: ImageHeader }[];
  readonly skipped: readonly SkippedImage[];
}

/** Reads the headers of the files: of all, or (verify: 'nothing') of the first readable one, taken to stand for the others. */
async function examine(files: readonly ListedFile[], { verify, strict }: ImageFolderOptions): Promise<Examined> {
  const headers: (ImageHeader | SkippedImage)[] = [];
  const look = async (index: number) => {
    const { path } = files[index]!;
    headers[index] = await readImageHeader(path).catch((cause) => ({ file: path, reason: reason(cause) }));
  };
  if (verify === 'nothing') {
    while (headers.length < files.length && !headers.some((header) => 'width' in header)) await look(headers.length);
  } else {
    await eachConcurrently(files.length, look);
  }
  const skipped = headers.filter((header) => 'reason' in header);
  if (strict && skipped.length > 0) throw strictFault(skipped[0]!);
  const sample = headers.at(-1);
  const kept = files.flatMap((file, index) => {
    const header = headers[index] ?? sample;
    return header !== undefined && 'width' in header ? [{ file, header }] : [];
  });
  return { kept, skipped };
}

function commonShape(folder: string, kept: Examined['kept'], options: ImageFolderOptions): ImageShape {
  const channels = options.channels ?? (kept.every(({ header }) => header.grey) ? 1 : 3);
  if (options.size !== null) return { channels, height: options.size, width: options.size };
  const { height, width } = kept[0]!.header;
  const other = kept.find(({ header }) => header.height !== height || header.width !== width);
  if (other !== undefined) {
    throw new DataError({
      expected: `all images of \`${folder}\` to be ${width} x ${height} like ${kept[0]!.file.path}`,
      got: `${other.header.width} x ${other.header.height} in ${other.file.path}`,
      where: 'data/image-folder',
      remedy: 'the option `size`, which resizes them',
    });
  }
  return { channels, height, width };
}

/** The set without the images whose pixels cannot be decoded; decoded ones stay in the cache. */
async function withoutUnreadable(dataset: ImageDataset): Promise<ImageDataset> {
  const out = new Uint8Array(imageBytes(dataset));
  const good: number[] = [];
  const faults = new Map(dataset.skipped.map((skipped) => [skipped.file, skipped]));
  for (let row = 0; row < dataset.count; row++) {
    const { used, skipped } = await readPixels(dataset.source, { wanted: Uint32Array.of(row), out });
    if (used[0] === row) good.push(row);
    for (const fault of skipped) faults.set(fault.file, fault);
  }
  return imageDataset({
    name: dataset.name,
    source: { ...dataset.source, rows: Uint32Array.from(good) },
    attributes: dataset.attributes.map((attribute) => ({
      ...attribute,
      values: Int32Array.from(good, (row) => attribute.values[row]!),
    })),
    skipped: [...faults.values()],
  });
}
