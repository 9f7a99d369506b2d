/** A name or a path -> a data set. */
import { closeSync, openSync, readdirSync, readSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError } from '../errors.ts';
import { unreadable } from './byte-stream.ts';
import { cifarKindOf, openCifar } from './cifar.ts';
import { openFashion, openPortraits } from './embedded.ts';
import { labelsFileOf, openIdxImages } from './idx-images.ts';
import { holdOut, type ImageDataset, imageDataset, subset } from './image-dataset.ts';
import { type ImageFolderOptions, openImageFolder } from './image-folder.ts';
import { openNpzImages, openNpzVectors } from './npz-arrays.ts';
import { drawToyDensity, type ToyDensity, type ToyOptions, toyDensities } from './toy-densities.ts';
import type { VectorDataset } from './vector-dataset.ts';

/** Which part of a set. */
export type Split = 'train' | 'test';

/** Which images to open; the fields of `ImageFolderOptions` apply to folders of image files, and default as `folderDefaults`. */
export interface DatasetOptions extends Partial<ImageFolderOptions> {
  /**
   * 'fashion', 'portraits', or a path: a folder of images (class subfolders, or flat; with subfolders `train` and `test` or `val` they
   * are the splits), a folder or file of IDX or CIFAR binary data, or an .npz file.
   */
  readonly source: string;
  /** Default 'train'. */
  readonly split?: Split;
  /** Attribute that becomes `labels`; default null: the set's first one (portraits: role, gender, skin; CIFAR-100: fine, coarse). */
  readonly label?: string | null;
  /** Fraction that is the test split of a set that has none of its own; default 0.1. Null: it has none, train is everything. */
  readonly heldOut?: number | null;
  /** Seed that chooses the held-out images; default 0, whatever the run's seed, so that runs can be compared. */
  readonly heldOutSeed?: number;
}

/** Defaults for folders of images. */
export const folderDefaults: ImageFolderOptions = {
  size: null,
  fit: 'crop',
  channels: null,
  strict: false,
  verify: 'headers',
  cacheBytes: 2 ** 29,
};

/** The parts of a set, not opened yet; `test` is null if the set has no split of its own. */
interface Parts {
  train(): Promise<ImageDataset>;
  readonly test: (() => Promise<ImageDataset>) | null;
  /** Whether the set is made of image files, to which the folder options apply. */
  readonly files?: boolean;
}

/**
 * Opens a set of images.
 *
 * @throws ConfigError if an option does not suit the set.
 * @throws DataError if the source does not exist, is of no known format, or is damaged.
 */
export async function openDataset(options: DatasetOptions): Promise<ImageDataset> {
  const { source, split = 'train', label = null, heldOut = 0.1, heldOutSeed = 0 } = options;
  const parts = findParts(source, { ...folderDefaults, ...options });
  if (parts.files !== true) refuseFolderOptions(options);
  const whole = async () => {
    const dataset = await parts.train();
    return heldOut === null ? dataset : subset(dataset, holdOut(dataset.count, heldOut, heldOutSeed)[split]);
  };
  if (parts.test === null && split === 'test' && heldOut === null) {
    throw new ConfigError({
      expected: `\`${source}\` to have a test split`,
      got: 'none, and `heldOut` is null',
      where: 'data/openDataset',
      remedy: 'a fraction for `heldOut`, such as 0.1',
    });
  }
  const open = parts.test === null ? whole : split === 'test' ? parts.test : parts.train;
  return chooseLabel({ ...(await open()), name: source }, label);
}

/** Whether there is a test split: one of the set's own, or images held out. @throws DataError if there is no such source. */
export function hasTestSplit({ source, heldOut = 0.1 }: Pick<DatasetOptions, 'source' | 'heldOut'>): boolean {
  return heldOut !== null || findParts(source, folderDefaults).test !== null;
}

/** Whether a source is a folder of image files, to which the options of folders apply. @throws DataError if there is no such source. */
export function isImageFolder(source: string): boolean {
  return findParts(source, folderDefaults).files === true;
}

/** Which vectors to open. */
export interface VectorOptions extends Partial<ToyOptions> {
  /** A toy density: 'two-moons', 'eight-gaussians', 'checkerboard' or 'swiss-roll'; or the path of an .npz file with float vectors. */
  readonly source: string;
}

/**
 * Opens a set of vectors; a toy density is drawn with count 10,000, seed 0 and split 'train' unless told otherwise.
 *
 * @throws ConfigError if an option is out of range, or the split 'test' of a file is asked for.
 * @throws DataError if the file is damaged or holds other data.
 */
export async function openVectors(options: VectorOptions): Promise<VectorDataset> {
  const { source, count = 10_000, seed = 0, split = 'train' } = options;
  const density = toyDensities.find((name): name is ToyDensity => name === source);
  if (density !== undefined) return drawToyDensity(density, { count, seed, split });
  if (split === 'train') return openNpzVectors(source);
  throw new ConfigError({
    expected: `\`${source}\` to have a test split`,
    got: 'an .npz file, which has none',
    where: 'data/openVectors',
    remedy: 'a second file for testing',
  });
}

function findParts(source: string, folderOptions: ImageFolderOptions): Parts {
  if (source === 'fashion') return { train: () => openFashion('train'), test: () => openFashion('test') };
  if (source === 'portraits') return { train: openPortraits, test: null };
  let status: Stats;
  try {
    status = statSync(source);
  } catch (cause) {
    throw unreadable(source, cause);
  }
  if (!status.isDirectory()) return { train: () => openFile(source), test: null };
  return idxParts(source) ?? cifarParts(source) ?? folderParts(source, folderOptions);
}

/** A folder with the files of MNIST: train-images-idx3-ubyte, t10k-images-idx3-ubyte and their labels, plain or .gz. */
function idxParts(folder: string): Parts | null {
  const names = readNames(folder).filter((name) => /images[.-]idx3-ubyte(\.gz)?$/.test(name));
  const open = (name: string) => () => {
    const images = join(folder, name);
    return openIdxImages(folder, { images, labels: labelsFileOf(images), classes: null });
  };
  const train = names.find((name) => name.includes('train'));
  const test = names.find((name) => name.includes('t10k') || name.includes('test'));
  if (train === undefined) return null;
  return { train: open(train), test: test === undefined ? null : open(test) };
}

/** A folder with the files of CIFAR's binary version. */
function cifarParts(folder: string): Parts | null {
  const names = readNames(folder);
  const paths = (pattern: RegExp) => names.filter((name) => pattern.test(name)).map((name) => join(folder, name));
  const ten = paths(/^data_batch_\d+\.bin$/);
  const kind = ten.length > 0 ? 'cifar10' : 'cifar100';
  const train = ten.length > 0 ? ten : paths(/^train\.bin$/);
  const test = paths(ten.length > 0 ? /^test_batch\.bin$/ : /^test\.bin$/);
  if (train.length === 0) return null;
  return {
    train: () => openCifar(folder, train, kind),
    test: test.length === 0 ? null : () => openCifar(folder, test, kind),
  };
}

function folderParts(folder: string, options: ImageFolderOptions): Parts {
  const isFolder = (name: string) => statSync(join(folder, name), { throwIfNoEntry: false })?.isDirectory() === true;
  const test = ['test', 'val', 'valid', 'validation'].find(isFolder);
  if (test === undefined || !isFolder('train')) {
    return { train: () => openImageFolder(folder, options), test: null, files: true };
  }
  return {
    train: () => openImageFolder(join(folder, 'train'), options),
    test: () => openImageFolder(join(folder, test), options),
    files: true,
  };
}

/** A file of images, its format told by its first bytes or its length. */
function openFile(path: string): Promise<ImageDataset> {
  const start = firstBytes(path);
  if (start.startsWith('PK')) return openNpzImages(path);
  if (start.startsWith('\x1f\x8b') || start.startsWith('\0\0\x08')) {
    return openIdxImages(path, { images: path, labels: labelsFileOf(path), classes: null });
  }
  const kind = cifarKindOf(path);
  if (kind !== null) return openCifar(path, [path], kind);
  throw new DataError({
    expected: `\`${path}\` to be an IDX (plain or .gz), .npz or CIFAR binary file`,
    got: start === '' ? 'an empty file' : `${statSync(path).size} bytes that start with ${JSON.stringify(start)}`,
    where: 'data/openDataset',
    remedy: 'one of these, or a folder of images',
  });
}

function firstBytes(path: string): string {
  try {
    if (!statSync(path).isFile()) throw new Error('it is not a regular file');
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(8);
      return bytes.toString('latin1', 0, readSync(file, bytes, 0, 8, 0));
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function readNames(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (cause) {
    throw unreadable(folder, cause);
  }
}

function refuseFolderOptions(options: DatasetOptions): void {
  const given = (['size', 'channels'] as const).find((name) => (options[name] ?? null) !== null);
  if (given === undefined) return;
  throw new ConfigError({
    expected: `\`${given}\` to be given for folders of image files only`,
    got: `${given} ${options[given]} for ${options.source}`,
    where: 'data/openDataset',
    remedy: 'to leave it out: this set keeps the size and channels it was stored with',
  });
}

function chooseLabel(dataset: ImageDataset, label: string | null): ImageDataset {
  const { name, source, skipped, attributes } = dataset;
  const chosen = label === null ? attributes[0] : attributes.find((attribute) => attribute.name === label);
  if (label !== null && chosen === undefined) {
    throw new ConfigError({
      expected: `\`label\` to be one of ${attributes.map((attribute) => attribute.name).join(', ') || '(none: the set has no labels)'}`,
      got: label,
      where: 'data/openDataset',
    });
  }
  const ordered = chosen === undefined ? [] : [chosen, ...attributes.filter((attribute) => attribute !== chosen)];
  return imageDataset({ name, source, skipped, attributes: ordered });
}
