import { DataError } from '../errors.ts';
import type { Attribute } from './image-dataset.ts';

/** Most classes of a set; more are taken for damage. */
const classLimit = 100_000;

/**
 * The attribute 'label' with the given class of each image.
 *
 * @param values   integers in [0, classes).
 * @param classes  names of the classes; null: '0', '1', ... up to the greatest label.
 * @throws DataError, naming `file`, if a label is out of range.
 */
export function labelAttribute(file: string, values: ArrayLike<number>, classes: readonly string[] | null): Attribute {
  const limit = classes?.length ?? classLimit;
  let greatest = 0;
  for (let i = 0; i < values.length; i++) {
    const label = values[i]!;
    if (!Number.isInteger(label) || label < 0 || label >= limit) {
      throw new DataError({
        expected: `labels in \`${file}\` to be integers in [0, ${limit})`,
        got: `${label} for image ${i}`,
        where: 'data',
        remedy: 'to number the classes from 0',
      });
    }
    greatest = Math.max(greatest, label);
  }
  const names = classes ?? Array.from({ length: greatest + 1 }, (_, label) => String(label));
  return { name: 'label', classes: names, values: Int32Array.from(values) };
}
