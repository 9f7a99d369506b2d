/** A number with all that it rests on, and the rule that only like numbers are put side by side. */
import { ConfigError } from '../errors.ts';

/** One measured value. Everything in it can be written as JSON. */
export interface Metric {
  /** What was measured, such as 'frechet-distance'. */
  readonly name: string;
  readonly value: number;
  /** Unit of the value and of its error. */
  readonly unit: string;
  /** Counts that the value rests on, such as those of generated and reference images. */
  readonly samples: Readonly<Record<string, number>>;
  /** Standard error of the value over draws of what was sampled; `null` where it was not estimated. */
  readonly standardError: number | null;
  /** Every choice that changes the value, as 'key=value' joined by '; ' (see `describeConvention`). */
  readonly convention: string;
}

/** The number, or `null` where it could not be computed: JSON has no NaN. */
export function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Choices by name. */
export type Choices = Readonly<Record<string, string | number | boolean | null>>;

/** Choices as the text that metrics carry; equal texts mean comparable values. Semicolons in values become commas. */
export function describeConvention(choices: Choices): string {
  return Object.entries(choices)
    .map(([key, value]) => `${key}=${String(value ?? 'none').replaceAll(';', ',')}`)
    .join('; ');
}

/** Parts of a convention that another one has not. */
function differences(convention: string, other: string): string {
  const theirs = new Set(other.split('; '));
  return convention
    .split('; ')
    .filter((part) => !theirs.has(part))
    .join('; ');
}

/** Values that may stand in one column of a table. */
export interface MetricColumn {
  readonly name: string;
  readonly unit: string;
  readonly convention: string;
  readonly metrics: readonly Metric[];
}

/**
 * Metrics as a column. Two values of different conventions are different quantities: they are refused rather than put side by side.
 * @throws ConfigError if the metrics have not the same name, unit and convention, or if there is none.
 */
export function metricColumn(metrics: readonly Metric[]): MetricColumn {
  const [first] = metrics;
  if (first === undefined) {
    throw new ConfigError({ expected: 'at least one metric', got: 'none', where: 'metrics/metric metricColumn' });
  }
  const { name, unit, convention } = first;
  for (const metric of metrics) {
    const alike = metric.name === name && metric.unit === unit;
    if (alike && metric.convention === convention) continue;
    throw new ConfigError({
      expected: `metrics of one column to be alike: ${name} with ${alike ? differences(convention, metric.convention) || convention : unit}`,
      got: `${metric.name} with ${alike ? differences(metric.convention, convention) || metric.convention : metric.unit}`,
      where: 'metrics/metric metricColumn',
      remedy: 'measuring both in the same way, or a column for each',
    });
  }
  return { name, unit, convention, metrics };
}
