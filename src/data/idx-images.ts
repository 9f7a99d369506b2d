/** Image sets in pairs of IDX files, one of images and one of labels. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DataError } from '../errors.ts';
import { arrangeImages } from './arrange-images.ts';
import { readIdx } from './idx.ts';
import { type Attribute, type ImageDataset, memoryDataset } from './image-dataset.ts';
import { labelAttribute } from './label-attribute.ts';

/** The files of a set. */
export interface IdxFiles {
  /** IDX file with axes [count, height, width], [count, height, width, 3] or [count, 3, height, width]. */
  readonly images: string;
  /** IDX file with axes [count]; null if there are no labels. */
  readonly labels: string | null;
  /** Names of the classes; null: their numbers. */
  readonly classes: readonly string[] | null;
}

/**
 * A set of images in IDX files, plain or gzip.
 *
 * @throws DataError as `readIdx`, or if the axes are not those of images and labels, or the counts differ.
 */
export async function openIdxImages(name: string, { images, labels, classes }: IdxFiles): Promise<ImageDataset> {
  const array = await readIdx(images);
  const { pixels, shape } = arrangeImages(images, array.shape, array.values);
  const attributes: Attribute[] = [];
  if (labels !== null) {
    const { shape: axes, values } = await readIdx(labels);
    if (axes.length !== 1 || axes[0] !== array.shape[0]) {
      throw fault(labels, `one label for each of the ${array.shape[0]} images of ${images}`, `axes [${axes}]`);
    }
    attributes.push(labelAttribute(labels, values, classes));
  }
  return memoryDataset(name, { pixels, shape }, attributes);
}

/** The file of labels that belongs to a file of images, by the names that MNIST and its relatives use; null if there is none. */
export function labelsFileOf(images: string): string | null {
  const name = basename(images).replace('images', 'labels').replace('idx3', 'idx1');
  if (name === basename(images)) return null;
  const plain = join(dirname(images), name.replace(/\.gz$/, ''));
  return [plain, `${plain}.gz`].find((path) => existsSync(path)) ?? null;
}

function fault(file: string, expected: string, got: string): DataError {
  return new DataError({
    expected: `\`${file}\` to hold ${expected}`,
    got,
    where: 'data/idx-images',
    remedy: 'the files of the same set',
  });
}
