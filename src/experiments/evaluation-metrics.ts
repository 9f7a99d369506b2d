/** The metrics that evaluation knows by name: what each needs, and how it is measured. */
import { ConfigError } from '../errors.ts';
import { balanceMetric } from '../metrics/balance.ts';
import { describeNetwork, type FeatureSet } from '../metrics/feature-set.ts';
import type { FeatureStatistics } from '../metrics/feature-statistics.ts';
import { frechetMetric, selectRows } from '../metrics/frechet-distance.ts';
import { frechetExtrapolationMetric } from '../metrics/frechet-extrapolation.ts';
import { inceptionScoreMetric } from '../metrics/inception-score.ts';
import { kernelMetric, kernelSubsetMetric } from '../metrics/kernel-distance.ts';
import { labelAccuracy, predictedLabels } from '../metrics/label-accuracy.ts';
import { memorisationMetrics } from '../metrics/memorisation.ts';
import type { Metric } from '../metrics/metric.ts';
import { precisionRecallMetrics } from '../metrics/precision-recall.ts';
import type { DotProducts } from '../numerics/dot-products.ts';
import type { DoubleProducts } from '../numerics/double-products.ts';
import { type MetricName, metricNames } from './metric-names.ts';
import { spread } from './stored-data.ts';

/** What there is to be measured, known before anything is generated. */
export interface EvaluationFacts {
  /** Samples that are judged. */
  readonly generated: number;
  /** Samples that they are compared with. */
  readonly reference: number;
  /** Training samples among which copies are sought. */
  readonly training: number;
  /** Whether the samples are images. */
  readonly images: boolean;
  /** Whether the feature network tells classes. */
  readonly classifier: boolean;
  /** Whether each sample was made for a label that the classifier may know. */
  readonly labels: boolean;
}

/** What is measured. */
export interface Evidence {
  readonly generated: FeatureSet;
  /** Classes of the generated samples; `null` without a classifier. */
  readonly probabilities: FeatureSet | null;
  /** Labels that the samples were made for; `null` without. */
  readonly labels: Int32Array | null;
  readonly reference: FeatureSet;
  /** Mean and covariance of the reference. */
  statistics(): Promise<FeatureStatistics>;
  readonly training: FeatureSet;
  readonly products: DoubleProducts;
  readonly dotProducts: DotProducts;
}

/** Why a metric cannot be had, as parts of a message. */
export interface Obstacle {
  readonly expected: string;
  readonly got: string;
  readonly remedy: string;
}

interface MetricRule {
  /** `null` if the metric can be measured. */
  obstacle(facts: EvaluationFacts): Obstacle | null;
  /** Whether it looks at the classes of generated samples, and whether at all of the training set. */
  readonly needs: { readonly classes?: true; readonly training?: true };
  measure(evidence: Evidence): Promise<readonly Metric[]>;
}

/** Groups of a jackknife at most. */
const mostGroups = 10;
/** Draws of a Fréchet extrapolation, and samples that make them differ. */
const extrapolated = { points: 15, least: 30 } as const;
/** Neighbour that balls reach to. */
const neighbour = 3;
const subsets = { count: 100, size: 1000 } as const;
const splits = 10;

function countOf({ values, dimensions }: FeatureSet): number {
  return values.length / dimensions;
}

/** At most so many of a set, spread evenly: balls of sets of unequal size cannot be compared, and few samples cannot cover many. */
function atMost(set: FeatureSet, count: number): FeatureSet {
  return countOf(set) <= count ? set : selectRows(set, spread(countOf(set), count));
}

/** Groups for a jackknife of so many samples; `null` where it would tell nothing. */
function groupsFor(count: number): number | null {
  return count < 4 ? null : Math.min(mostGroups, Math.floor(count / 2));
}

function tooFew(what: 'generated' | 'reference', { [what]: count }: EvaluationFacts, least: number): Obstacle | null {
  if (count >= least) return null;
  const remedy = what === 'generated' ? `--count ${least} or more` : 'a larger set to compare with';
  return { expected: `at least ${least} ${what} samples`, got: String(count), remedy };
}

function noClasses({ images, classifier }: EvaluationFacts): Obstacle | null {
  if (classifier) return null;
  if (!images) return { expected: 'images', got: 'vectors', remedy: 'the other metrics' };
  return {
    expected: 'features of a network that tells classes',
    got: 'one that does not',
    remedy: '--features domain',
  };
}

function noLabels({ labels }: EvaluationFacts): Obstacle | null {
  if (labels) return null;
  return { expected: 'samples made for labels', got: 'none', remedy: 'a model that is told labels, or another metric' };
}

const rules: { readonly [K in MetricName]: MetricRule } = {
  frechet: {
    obstacle: (facts) => tooFew('generated', facts, 2) ?? tooFew('reference', facts, 2),
    needs: {},
    measure: async ({ generated, statistics, products }) => [
      await frechetMetric(generated, await statistics(), { products, groups: groupsFor(countOf(generated)) }),
    ],
  },
  'frechet-infinite': {
    obstacle: (facts) => tooFew('generated', facts, extrapolated.least) ?? tooFew('reference', facts, 2),
    needs: {},
    measure: async ({ generated, statistics, products }) => [
      await frechetExtrapolationMetric(generated, await statistics(), {
        products,
        points: extrapolated.points,
        groups: groupsFor(countOf(generated)),
      }),
    ],
  },
  kernel: {
    obstacle: (facts) => tooFew('generated', facts, 2) ?? tooFew('reference', facts, 2),
    needs: {},
    measure: async ({ generated, reference, products }) => [await kernelMetric(generated, reference, { products })],
  },
  'kernel-subsets': {
    obstacle: (facts) => tooFew('generated', facts, 4) ?? tooFew('reference', facts, 4),
    needs: {},
    measure: async ({ generated, reference, products }) => {
      // At most half of the smaller set, so that subsets differ.
      const half = Math.floor(Math.min(countOf(generated), countOf(reference)) / 2);
      const size = Math.min(subsets.size, half);
      return [await kernelSubsetMetric(generated, reference, { products, subsets: subsets.count, size })];
    },
  },
  prdc: {
    obstacle: (facts) => tooFew('generated', facts, neighbour + 1) ?? tooFew('reference', facts, neighbour + 1),
    needs: {},
    measure: async ({ generated, reference, dotProducts }) => {
      const like = atMost(reference, countOf(generated));
      return Object.values(await precisionRecallMetrics(generated, like, { k: neighbour, products: dotProducts }));
    },
  },
  memorisation: {
    obstacle: ({ training }) =>
      training >= 2 ? null : { expected: 'at least two training samples', got: String(training), remedy: 'more data' },
    needs: { training: true },
    measure: async ({ generated, training, dotProducts }) =>
      Object.values(await memorisationMetrics(generated, training, { products: dotProducts })),
  },
  'inception-score': {
    obstacle: (facts) => noClasses(facts) ?? tooFew('generated', facts, splits),
    needs: { classes: true },
    measure: async ({ probabilities }) => [inceptionScoreMetric(probabilities!, { splits })],
  },
  'label-accuracy': {
    obstacle: (facts) => noClasses(facts) ?? noLabels(facts),
    needs: { classes: true },
    measure: async ({ probabilities, labels }) => [labelAccuracy(probabilities!, labels!).metric],
  },
  balance: {
    obstacle: noClasses,
    needs: { classes: true },
    measure: async ({ probabilities }) => {
      const attribute = `label by ${describeNetwork(probabilities!)}`;
      return [balanceMetric(predictedLabels(probabilities!), { attribute, values: probabilities!.dimensions })];
    },
  },
};

/** Metrics to be measured. */
export interface MetricPlan {
  readonly names: readonly MetricName[];
  /** What cannot be measured, as sentences for people. */
  readonly notes: readonly string[];
  /** Whether classes of the generated samples are needed. */
  readonly classes: boolean;
  /** Whether features of all training samples are needed. */
  readonly training: boolean;
}

/**
 * Decides what is measured.
 * @param asked  `null`: everything that can be.
 * @throws ConfigError if a metric is asked for that cannot be measured.
 */
export function planMetrics(asked: readonly MetricName[] | null, facts: EvaluationFacts): MetricPlan {
  const missing = new Map<string, MetricName[]>();
  const names = (asked ?? metricNames).filter((name) => {
    const obstacle = rules[name].obstacle(facts);
    if (obstacle === null) return true;
    const { expected, got, remedy } = obstacle;
    if (asked !== null) {
      const where = 'experiments/evaluation-metrics';
      throw new ConfigError({ expected: `${expected} for \`${name}\``, got, remedy, where });
    }
    const reason = `expected ${expected}; got ${got}. Try ${remedy}.`;
    missing.set(reason, [...(missing.get(reason) ?? []), name]);
    return false;
  });
  const notes = [...missing].map(([reason, left]) => `Without ${left.join(', ')}: ${reason}`);
  const needed = (what: 'classes' | 'training') => names.some((name) => rules[name].needs[what] === true);
  return { names, notes, classes: needed('classes'), training: needed('training') };
}

/** Measures one metric; several values belong to some. */
export function measureMetric(name: MetricName, evidence: Evidence): Promise<readonly Metric[]> {
  return rules[name].measure(evidence);
}
