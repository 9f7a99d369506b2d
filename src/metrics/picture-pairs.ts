/** Pictures beside those that they should be like: what measures of reconstructions have in common. */
import { ConfigError, ShapeError } from '../errors.ts';
import { type Choices, describeConvention, type Metric } from './metric.ts';

/** Pictures and originals, row by row: uint8 [count, channels, height, width] both. */
export interface PicturePairs {
  readonly pictures: Uint8Array;
  readonly originals: Uint8Array;
  /** [channels, height, width] of one. */
  readonly shape: readonly [number, number, number];
}

/** Number of pairs, and of elements of a picture. @throws ShapeError unless both hold the same whole number of pictures. */
export function pairShape(
  { pictures, originals, shape }: PicturePairs,
  where: string,
): { readonly count: number; readonly elements: number } {
  const elements = shape[0] * shape[1] * shape[2];
  const count = pictures.length / elements;
  if (Number.isInteger(count) && originals.length === pictures.length) return { count, elements };
  throw new ShapeError({
    expected: `\`pictures\` and \`originals\` to be [count, ${shape.join(', ')}]`,
    got: `${pictures.length} and ${originals.length} bytes`,
    where,
  });
}

/** The mean of a value of each pair as a metric. @throws ConfigError if there is no pair. */
export function pairMetric(
  values: Float64Array,
  { name, unit, choices }: { readonly name: string; readonly unit: string; readonly choices: Choices },
): Metric {
  const count = values.length;
  if (count === 0) throw new ConfigError({ expected: 'at least one picture', got: 'none', where: `metrics/${name}` });
  const value = values.reduce((sum, one) => sum + one, 0) / count;
  const variance = values.reduce((sum, one) => sum + (one - value) ** 2, 0) / (count - 1);
  return {
    name,
    value,
    unit,
    samples: { pictures: count },
    standardError: count > 1 ? Math.sqrt(variance / count) : null,
    convention: describeConvention(choices),
  };
}
