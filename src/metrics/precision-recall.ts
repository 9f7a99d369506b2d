/** How much of one set of images lies near another, by balls that reach to the k-th nearest neighbour: precision, recall, density, coverage. */
import type { RowSet, TileOptions } from '../numerics/distance-tiles.ts';
import { estimateMean } from '../numerics/estimate.ts';
import { ballCounts, nearestNeighbours } from '../numerics/nearest-neighbours.ts';
import { checkSameNetwork, type FeatureSet, featureChoices, rowsOfFeatures } from './feature-set.ts';
import { describeConvention, finiteOrNull, type Metric } from './metric.ts';

/** Whether a point at exactly the radius lies in a ball. */
export type BallComparison = 'at-most' | 'below';

export interface PrecisionRecallOptions extends TileOptions {
  /** The ball of an image reaches to its k-th nearest neighbour in its own set, itself not counted. Default 3, as in [kynkaanniemi:19]. */
  readonly k?: number;
  /**
   * 'at-most' counts a point at exactly the radius, as [kynkaanniemi:19] writes; 'below' does not, as some programs do. They differ
   * only by ties, such as images that occur twice. Default 'at-most'.
   */
  readonly comparison?: BallComparison;
}

/** Values of each image, whose means are the measures. */
export interface BallMemberships {
  /** In how many balls of the reference each generated image lies, [generated]. */
  readonly generatedInReference: Uint32Array;
  /** In how many balls of the generated set each reference image lies, [reference]. */
  readonly referenceInGenerated: Uint32Array;
  /** 1 for each reference image whose own ball holds a generated image, [reference]. */
  readonly covered: Uint8Array;
}

/** Squared distances to the k-th nearest of the others, float64 [count]. */
async function squaredRadii(set: RowSet, k: number, tiles: TileOptions): Promise<Float64Array> {
  const { squaredDistances } = await nearestNeighbours(set, set, { ...tiles, k, excludeSelf: true });
  return Float64Array.from({ length: set.count }, (_, i) => squaredDistances[i * k + k - 1]!);
}

/**
 * The balls that each image lies in. Distances are compared in float64 wherever rounding could matter, so that the result does not
 * depend on tiles or on the products.
 * @throws ConfigError if a set has not more than k images, or networks differ; NumericalError if a number is not finite.
 */
export async function ballMemberships(
  generated: FeatureSet,
  reference: FeatureSet,
  { k = 3, comparison = 'at-most', ...tiles }: PrecisionRecallOptions = {},
): Promise<BallMemberships> {
  checkSameNetwork(generated, reference);
  const [g, r] = [rowsOfFeatures(generated), rowsOfFeatures(reference)];
  const closed = comparison === 'at-most';
  const [gRadii, rRadii] = [await squaredRadii(g, k, tiles), await squaredRadii(r, k, tiles)];
  const generatedInReference = await ballCounts(g, r, { ...tiles, squaredRadii: rRadii, closed });
  const referenceInGenerated = await ballCounts(r, g, { ...tiles, squaredRadii: gRadii, closed });
  const { squaredDistances } = await nearestNeighbours(r, g, { ...tiles, k: 1 });
  const covered = Uint8Array.from(squaredDistances, (square, i) =>
    square < rRadii[i]! || (closed && square === rRadii[i]) ? 1 : 0,
  );
  return { generatedInReference, referenceInGenerated, covered };
}

/**
 * Precision (share of generated images in a ball of the reference), recall (share of reference images in a ball of the generated set),
 * their F-score (harmonic mean), density (mean number of reference balls over k that a generated image lies in) and coverage (share of
 * reference images whose ball holds a generated one).
 *
 * Standard errors are those of means over the images counted, with the balls as they are; that of the F-score follows from the two.
 * All depend on the counts of images.
 * Sources: [kynkaanniemi:19], eq. (1) and (2); [naeem:20], section 3.
 */
export async function precisionRecallMetrics(
  generated: FeatureSet,
  reference: FeatureSet,
  options: PrecisionRecallOptions = {},
): Promise<{ readonly [K in 'precision' | 'recall' | 'fScore' | 'density' | 'coverage']: Metric }> {
  const { k = 3, comparison = 'at-most' } = options;
  const { generatedInReference, referenceInGenerated, covered } = await ballMemberships(generated, reference, options);
  const inBalls = (counts: Uint32Array) => estimateMean(counts.map((count) => (count > 0 ? 1 : 0)));
  const [precision, recall] = [inBalls(generatedInReference), inBalls(referenceInGenerated)];
  const samples = { generated: precision.count, reference: recall.count };
  const convention = describeConvention({
    ...featureChoices(reference),
    'reference-count': samples.reference,
    'generated-count': samples.generated,
    k,
    radius: comparison,
  });
  const metric = (name: string, { mean, standardError }: { mean: number; standardError: number }): Metric => ({
    name,
    value: mean,
    unit: name === 'density' ? 'balls per k' : 'fraction',
    samples,
    standardError: finiteOrNull(standardError),
    convention,
  });
  return {
    precision: metric('precision', precision),
    recall: metric('recall', recall),
    fScore: metric('f-score', fScore(precision, recall)),
    density: metric('density', estimateMean(Float64Array.from(generatedInReference, (count) => count / k))),
    coverage: metric('coverage', estimateMean(covered)),
  };
}

/** The harmonic mean 2 p r / (p + r), 0 where both are 0, with the error that those of p and r give it to first order. */
function fScore(
  precision: { readonly mean: number; readonly standardError: number },
  recall: { readonly mean: number; readonly standardError: number },
): { readonly mean: number; readonly standardError: number } {
  const [p, r] = [precision.mean, recall.mean];
  const sum = p + r;
  if (sum === 0) return { mean: 0, standardError: 0 };
  const byPrecision = 2 * (r / sum) ** 2 * precision.standardError;
  const byRecall = 2 * (p / sum) ** 2 * recall.standardError;
  return { mean: (2 * p * r) / sum, standardError: Math.hypot(byPrecision, byRecall) };
}
