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
