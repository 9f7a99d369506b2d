/** Names of metrics, as commands and configs take them. */
import { ConfigError } from '../errors.ts';
import { nearestName } from './nearest-name.ts';

/** Names by which metrics are asked for, in the order in which they are measured. */
export const metricNames = [
  'frechet',
  'frechet-infinite',
  'kernel',
  'kernel-subsets',
  'prdc',
  'memorisation',
  'inception-score',
  'label-accuracy',
  'balance',
] as const;

export type MetricName = (typeof metricNames)[number];

/** Which metric a value belongs to, and which way it is better. */
interface ValueFacts {
  readonly metric: MetricName;
  readonly better: 'lower' | 'higher';
}

/** Values that metrics consist of, by name. */
export const metricValues = {
  'frechet-distance': { metric: 'frechet', better: 'lower' },
  'frechet-distance-infinite': { metric: 'frechet-infinite', better: 'lower' },
  'kernel-distance': { metric: 'kernel', better: 'lower' },
  'kernel-distance-subsets': { metric: 'kernel-subsets', better: 'lower' },
  precision: { metric: 'prdc', better: 'higher' },
  recall: { metric: 'prdc', better: 'higher' },
  'f-score': { metric: 'prdc', better: 'higher' },
  density: { metric: 'prdc', better: 'higher' },
  coverage: { metric: 'prdc', better: 'higher' },
  'nearest-ratio': { metric: 'memorisation', better: 'higher' },
  memorised: { metric: 'memorisation', better: 'lower' },
  authentic: { metric: 'memorisation', better: 'higher' },
  'inception-score': { metric: 'inception-score', better: 'higher' },
  'label-accuracy': { metric: 'label-accuracy', better: 'higher' },
  balance: { metric: 'balance', better: 'lower' },
} as const satisfies Readonly<Record<string, ValueFacts>>;

export type MetricValueName = keyof typeof metricValues;

/** Their names. */
export const metricValueNames = Object.keys(metricValues) as readonly MetricValueName[];

/**
 * Reads names of metrics, a comma between them.
 * @returns `null` for `all`.
 * @throws ConfigError if a name is none of a metric.
 */
export function parseMetricNames(text: string): readonly MetricName[] | null {
  if (text === 'all') return null;
  const given = text.split(',').map((name) => name.trim());
  for (const name of given) {
    if (metricNames.some((known) => known === name)) continue;
    const meant = nearestName(name, metricNames);
    throw new ConfigError({
      expected: `metrics to be all, or some of ${metricNames.join(', ')}`,
      got: `"${name}"`,
      ...(meant === null ? {} : { remedy: meant }),
    });
  }
  return metricNames.filter((name) => given.includes(name));
}
