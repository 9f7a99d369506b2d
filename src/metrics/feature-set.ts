/** Features of images, and where they come from. */
import { ConfigError, ShapeError } from '../errors.ts';
import { type RowSet, rowSet } from '../numerics/distance-tiles.ts';
import { checkFinite } from '../numerics/moments.ts';
import type { Choices } from './metric.ts';

/** What the numbers of a feature set depend on besides the images; all of it goes into conventions. */
export interface FeatureOrigin {
  /** Network, layer, input size and resize, such as 'mixed5 299 bilinear'. */
  readonly network: string;
  /** Hash of the network's file; `null` for features without one, such as pixels. */
  readonly hash: string | null;
  /** Which images: set and split, or run and seeds. */
  readonly data: string;
}

/** Features of images. */
export interface FeatureSet extends FeatureOrigin {
  /** [count, dimensions]; networks give float32. */
  readonly values: Float32Array | Float64Array;
  readonly dimensions: number;
}

/**
 * Rows of a feature set.
 * @throws ShapeError if the numbers do not fill whole rows, or there is none; NumericalError if one is not finite.
 */
export function rowsOfFeatures({ values, dimensions, data }: FeatureSet): RowSet {
  const rows = rowSet(values, dimensions);
  if (rows.count === 0) {
    throw new ShapeError({ expected: 'at least one image', got: `none in \`${data}\``, where: 'metrics/feature-set' });
  }
  checkFinite(values, { dimensions, where: `metrics, features of \`${data}\`` });
  return rows;
}

/** @throws ConfigError unless both sets are of the same network and have as many dimensions. */
export function checkSameNetwork(
  a: FeatureOrigin & { readonly dimensions: number },
  b: FeatureOrigin & { readonly dimensions: number },
): void {
  if (a.network === b.network && a.hash === b.hash && a.dimensions === b.dimensions) return;
  throw new ConfigError({
    expected: `features of one network for \`${a.data}\` and \`${b.data}\`: ${describeNetwork(a)}, ${a.dimensions} dimensions`,
    got: `${describeNetwork(b)}, ${b.dimensions} dimensions`,
    where: 'metrics/feature-set',
    remedy: 'extracting the features of both with the same network',
  });
}

/** The network as conventions name it. */
export function describeNetwork({ network, hash }: FeatureOrigin): string {
  return hash === null ? network : `${network}@${hash}`;
}

/** The part of a convention that comes from the feature sets. The generated images are what is compared, so they are no part of it. */
export function featureChoices(reference: FeatureOrigin): Choices {
  return { features: describeNetwork(reference), reference: reference.data };
}
