import type { FieldErrorAtTime } from '../../analysis/field-error.ts';
import { textTable } from '../../report/text-table.ts';
import type { SubsetResult } from './efm-fig2.ts';

/** What [bertrand:25] claims of networks trained on subsets (figure 2), held against measured ones, ascending in their images. */
export interface SubsetClaims {
  /** The error, mean over the times, is larger with the most images than with the fewest. */
  readonly errorGrows: boolean;
  /** The distance of samples to the nearest image is larger with the most images than with the fewest. */
  readonly distanceGrows: boolean;
  /** Most samples are memorised with the fewest images. */
  readonly fewAreMemorised: boolean;
  /** Most are not with the most images. */
  readonly manyAreNot: boolean;
}

/** Mean over the times of the errors at points of training images. */
export function meanError(errors: readonly FieldErrorAtTime[]): number {
  return errors.reduce((sum, { error }) => sum + error.mean, 0) / errors.length;
}

/** Holds the claims against results. */
export function judgeSubsets(results: readonly SubsetResult[]): SubsetClaims {
  const [fewest, most] = [results[0]!, results.at(-1)!];
  return {
    errorGrows: meanError(most.error.training) > meanError(fewest.error.training),
    distanceGrows: most.samples.distance.mean > fewest.samples.distance.mean,
    fewAreMemorised: fewest.samples.memorised.mean > 0.5,
    manyAreNot: most.samples.memorised.mean < 0.5,
  };
}

const claimTexts: { readonly [C in keyof SubsetClaims]: string } = {
  errorGrows:
    'the error to the exact field is larger with the most training images than with the fewest (figure 2, left)',
  distanceGrows:
    'the distance of samples to the nearest training image is larger with the most images than with the fewest (right)',
  fewAreMemorised: 'with the fewest images most samples are memorised',
  manyAreNot: 'with the most images most samples are not memorised',
};

interface Circumstances {
  readonly source: string;
  readonly size: number;
  readonly seed: number;
  readonly pairs: number;
  readonly seconds: number;
  readonly claims: SubsetClaims;
}

const shownTimes = [0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9];

/** Measured times that are near the shown ones. */
function shownOf(errors: readonly FieldErrorAtTime[]): FieldErrorAtTime[] {
  return errors.filter(({ time }) => shownTimes.some((shown) => Math.abs(shown - time) < 1e-6));
}

function errorTable(results: readonly SubsetResult[], side: 'training' | 'heldOut'): string[] {
  const present = results.flatMap(({ count, error }) => (error[side] === null ? [] : [{ count, errors: error[side] }]));
  if (present.length === 0) return ['none held out'];
  const times = shownOf(present[0]!.errors).map(({ time }) => `t = ${time.toFixed(1)}`);
  const rows = present.map(({ count, errors }) => [
    String(count),
    ...shownOf(errors).map(({ error }) => error.mean.toFixed(4)),
    meanError(errors).toFixed(4),
  ]);
  return textTable(['images', ...times, 'mean over all times'], rows);
}

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;

/** Tables and sentences. */
export function subsetLines(
  results: readonly SubsetResult[],
  { source, size, seed, pairs, seconds, claims }: Circumstances,
): string[] {
  const { count: samples } = results[0]!.samples.distance;
  const rows = results.map(({ count, samples: own, heldOut, within }) => [
    String(count),
    `${own.distance.mean.toFixed(2)} ± ${own.distance.standardError.toFixed(2)}`,
    percent(own.memorised.mean),
    heldOut?.distance.mean.toFixed(2) ?? '-',
    within.distance.mean.toFixed(2),
  ]);
  return [
    `Networks trained on subsets of ${source} at ${size} x ${size} pixels, seed ${seed}; the paper has CIFAR-10`,
    '',
    `Mean squared error per element against the exact field of the subset, at xt of ${pairs} pairs of training images (figure 2, left)`,
    '',
    ...errorTable(results, 'training'),
    '',
    'The same at xt of held-out images',
    '',
    ...errorTable(results, 'heldOut'),
    '',
    `Mean distance to the nearest training image (figure 2, right), and memorised: nearer than a third of the second nearest; ${samples} samples`,
    '',
    ...textTable(['images', 'samples', 'memorised', 'held-out images', 'training images to each other'], rows),
    '',
    "The paper's dashed line is the last column of the last row. Its middle panel, a Fréchet distance by features of a trained network, is left",
    'out: there are none here. It gives its figure without numbers.',
    `In ${seconds.toFixed(0)} s, trainings that had to be done included.`,
    '',
    ...Object.entries(claimTexts).map(
      ([name, text]) => `${claims[name as keyof SubsetClaims] ? 'found' : 'NOT FOUND'}: ${text}`,
    ),
  ];
}
