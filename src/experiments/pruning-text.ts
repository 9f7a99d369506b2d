/** Stability under pruning as tables for people. */
import type { Share } from '../numerics/share.ts';
import { textTable } from '../report/text-table.ts';
import type { PruningResult } from './pruning-request.ts';

/** A share with its interval: `97.1 % [95.9, 98.0]`; a dash without a trial. */
export function shareText({ share, low, high, trials }: Share): string {
  if (trials === 0) return '-';
  return `${(100 * share).toFixed(1)} % [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
}

/** A deviation to three digits; a dash where there is none. */
export function deviationText(value: number): string {
  if (!Number.isFinite(value)) return '-';
  return value === 0 ? '0' : String(Number(value.toPrecision(3)));
}

/** The sentence above a table: what was measured, and how. */
export function caseText({ name, count, elements, noises, solver, steps, seed, seconds }: PruningResult): string {
  return `${name}: ${count} data of ${elements} numbers, ${noises} noises, ${solver} with ${steps} steps, seed ${seed}; ${seconds.toFixed(0)} s`;
}

const headings = [
  'removed',
  'unchanged [95 %]',
  'of noises',
  'deviation: median',
  'p95',
  'p95 of baseline',
  'of all noises: median',
];

/** A row for each subset of a run, and the baseline below. */
export function stabilityTable({ subsets, baseline, finalWeight, evaluations, kept }: PruningResult): string[] {
  const rows = subsets.map(({ name, removed, unchanged, deviation, deviationOfAll }) => [
    kept.includes(name) ? `${name}: ${removed.toFixed(2)}` : removed.toFixed(2),
    shareText(unchanged),
    String(unchanged.trials),
    deviationText(deviation.median),
    deviationText(deviation.p95),
    `${((100 * deviation.p95) / baseline.mean).toFixed(1)} %`,
    deviationText(deviationOfAll.median),
  ]);
  return [
    ...textTable(headings, rows),
    `Between different noises: ${baseline.mean.toFixed(2)} ± ${baseline.standardDeviation.toFixed(2)} (standard deviation over ${baseline.pairs} pairs).`,
    `Mean weight of the assigned datum at the end: ${finalWeight.toFixed(4)}; evaluations of a noise until one datum had all of it: ${evaluations.toFixed(1)}.`,
  ];
}

/** What the words of the tables mean. */
export const stabilityConventions: readonly string[] = [
  'unchanged: noises that end at the same datum, among those whose datum on all data remains, with the 95 % interval of Wilson.',
  'deviation: integral over time of |x(t) on all data - x(t) on the rest|, of the same noises; the last column has the others, too.',
];
