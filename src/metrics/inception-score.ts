import { ConfigError, NumericalError } from '../errors.ts';
import { estimateMean } from '../numerics/estimate.ts';
import { permutation } from '../numerics/permutation.ts';
import { stream } from '../numerics/stream.ts';
import { describeNetwork, type FeatureSet, rowsOfFeatures } from './feature-set.ts';
import { describeConvention, finiteOrNull, type Metric } from './metric.ts';

/** Sums of a row may be off by this much, as class probabilities in float32 are. */
const sumTolerance = 1e-3;

function checkProbabilities(values: Float32Array | Float64Array, classes: number): void {
  for (let start = 0; start < values.length; start += classes) {
    let sum = 0;
    let least = 0;
    for (let c = 0; c < classes; c++) {
      sum += values[start + c]!;
      least = Math.min(least, values[start + c]!);
    }
    if (least >= 0 && Math.abs(sum - 1) <= sumTolerance) continue;
    throw new NumericalError({
      expected: 'probabilities of the classes in each row',
      got: `sum ${sum}, least ${least} in row ${start / classes}`,
      where: 'metrics/inception-score',
      remedy: 'the softmax of the scores',
    });
  }
}

/** exp of the mean over rows of KL(p(class | image) || p(class)), with p(class) the mean of the rows. */
function scoreOf(values: Float32Array | Float64Array, rows: Uint32Array, classes: number): number {
  const marginal = new Float64Array(classes);
  let entropy = 0; // sum over images of sum p log p
  for (const row of rows) {
    for (let c = 0; c < classes; c++) {
      const p = values[row * classes + c]!;
      marginal[c] = marginal[c]! + p / rows.length;
      if (p > 0) entropy += p * Math.log(p);
    }
  }
  const ofMarginal = marginal.reduce((sum, p) => (p > 0 ? sum + p * Math.log(p) : sum), 0);
  return Math.exp(entropy / rows.length - ofMarginal);
}

export interface InceptionScoreOptions {
  /** Parts of the images, in random order, whose scores are averaged. Default 10. */
  readonly splits?: number;
  /** Seed of that order; `null` keeps the order of the images. Default 0. */
  readonly seed?: number | null;
}

/**
 * Inception scores of the parts of a set, exp E KL(p(class | image) || p(class)); between 1 and the number of classes.
 *
 * Source: [salimans:16], section 4.
 * @param probabilities  class probabilities as features, [images, classes].
 * @returns one score a part.
 * @throws ConfigError if there are fewer images than parts; NumericalError if a row is no distribution.
 */
export function inceptionScores(probabilities: FeatureSet, options: InceptionScoreOptions = {}): Float64Array {
  const { splits = 10, seed = 0 } = options;
  const { count, elements, values } = rowsOfFeatures(probabilities);
  if (!Number.isInteger(splits) || splits < 1 || splits > count) {
    throw new ConfigError({
      expected: `\`splits\` to be an integer in [1, ${count}], the images`,
      got: String(splits),
      where: 'metrics/inception-score',
    });
  }
  checkProbabilities(values, elements);
  const order =
    seed === null
      ? Uint32Array.from({ length: count }, (_, i) => i)
      : permutation(count, stream(seed, 'metrics-splits'));
  return Float64Array.from({ length: splits }, (_, s) =>
    scoreOf(values, order.subarray(Math.floor((s * count) / splits), Math.floor(((s + 1) * count) / splits)), elements),
  );
}

/**
 * Mean Inception score over parts, with its standard error over the parts (what is often printed is their standard deviation, which
 * is sqrt(splits) times as large). Fewer images in a part lower the score: their count belongs to the convention.
 */
export function inceptionScoreMetric(probabilities: FeatureSet, options: InceptionScoreOptions = {}): Metric {
  const { splits = 10, seed = 0 } = options;
  const { mean, standardError } = estimateMean(inceptionScores(probabilities, options));
  const images = probabilities.values.length / probabilities.dimensions;
  return {
    name: 'inception-score',
    value: mean,
    unit: 'classes',
    samples: { generated: images, splits },
    standardError: finiteOrNull(standardError),
    convention: describeConvention({
      classifier: describeNetwork(probabilities),
      'generated-count': images,
      splits,
      seed: seed ?? 'order of the images',
    }),
  };
}
