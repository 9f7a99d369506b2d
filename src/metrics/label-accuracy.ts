/** Whether images that were generated for a label show it, as a classifier sees them. */
import { ConfigError, ShapeError } from '../errors.ts';
import { estimateMean } from '../numerics/estimate.ts';
import { describeNetwork, type FeatureSet, rowsOfFeatures } from './feature-set.ts';
import { describeConvention, finiteOrNull, type Metric } from './metric.ts';

/** The class with the largest score of each row, the first of equal ones; int32 [images]. @throws NumericalError if a score is not finite. */
export function predictedLabels(scores: FeatureSet): Int32Array {
  const { values, count, elements } = rowsOfFeatures(scores);
  return Int32Array.from({ length: count }, (_, i) => {
    let best = 0;
    for (let c = 1; c < elements; c++) if (values[i * elements + c]! > values[i * elements + best]!) best = c;
    return best;
  });
}

/** Accuracy of all images, and of those of each label that was wanted. */
export interface LabelAccuracy {
  readonly metric: Metric;
  /** Share of a label's images that are seen as it, ascending by label. */
  readonly byLabel: readonly { readonly label: number; readonly images: number; readonly accuracy: number }[];
}

/**
 * Share of generated images whose class is the label that they were generated for, with its standard error. Its most is the
 * classifier's own accuracy, which should be in the classifier's name.
 * @param scores  the classifier's scores of the generated images, [images, classes].
 * @param wanted  labels that the images were generated for, [images].
 * @throws ShapeError if there are not as many labels as images; ConfigError if a label is no class.
 */
export function labelAccuracy(scores: FeatureSet, wanted: Int32Array): LabelAccuracy {
  const predicted = predictedLabels(scores);
  if (wanted.length !== predicted.length) {
    throw new ShapeError({
      expected: `\`wanted\` to be [images] = [${predicted.length}]`,
      got: `[${wanted.length}]`,
      where: 'metrics/label-accuracy',
    });
  }
  const classes = scores.dimensions;
  const foreign = wanted.find((label) => label < 0 || label >= classes);
  if (foreign !== undefined) {
    throw new ConfigError({
      expected: `labels of the classifier, 0 to ${classes - 1}`,
      got: String(foreign),
      where: 'metrics/label-accuracy',
      remedy: 'a classifier of the same labels; images without a label cannot be counted',
    });
  }
  const right = Uint8Array.from(predicted, (label, i) => (label === wanted[i] ? 1 : 0));
  const { mean, standardError, count } = estimateMean(right);
  const images = new Uint32Array(classes);
  const hits = new Uint32Array(classes);
  for (const [i, label] of wanted.entries()) {
    images[label] = images[label]! + 1;
    hits[label] = hits[label]! + right[i]!;
  }
  const metric: Metric = {
    name: 'label-accuracy',
    value: mean,
    unit: 'fraction',
    samples: { generated: count, labels: images.filter((n) => n > 0).length },
    standardError: finiteOrNull(standardError),
    convention: describeConvention({ classifier: describeNetwork(scores), classes }),
  };
  const byLabel = [...images.entries()]
    .filter(([, n]) => n > 0)
    .map(([label, n]) => ({ label, images: n, accuracy: hits[label]! / n }));
  return { metric, byLabel };
}
