/** Stability under pruning as files: numbers as JSON and CSV, and two charts. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SubsetStability } from '../analysis/pruning-stability.ts';
import { lineChart, type Series } from '../report/line-chart.ts';
import type { PruningResult } from './pruning-request.ts';
import { writeWhole } from './run-directory.ts';

const csvHeader = [
  'name,data,elements,noises,solver,steps,subset,removed,kept,unchanged,low,high,trials',
  'deviation_median,deviation_p95,deviation_all_median,deviation_all_p95,baseline,baseline_deviation,pairs',
].join(',');

/** A line for each set and each of its subsets. */
export function pruningCsv(runs: readonly PruningResult[]): string {
  const lines = runs.flatMap(({ name, count, elements, noises, solver, steps, baseline, subsets }) =>
    subsets.map(({ name: subset, removed, kept, unchanged, deviation, deviationOfAll }) =>
      [
        ...[JSON.stringify(name), count, elements, noises, solver, steps, JSON.stringify(subset), removed, kept],
        ...[unchanged.share, unchanged.low, unchanged.high, unchanged.trials],
        ...[deviation.median, deviation.p95, deviationOfAll.median, deviationOfAll.p95],
        ...[baseline.mean, baseline.standardDeviation, baseline.pairs],
      ].join(','),
    ),
  );
  return `${[csvHeader, ...lines].join('\n')}\n`;
}

/** Where a subset of a run stands on a chart's axis. */
interface Axis {
  readonly label: string;
  readonly of: (run: PruningResult, subset: SubsetStability) => number;
  /** Curves: subsets that belong together, in the order of the axis. */
  readonly curves: readonly {
    readonly name: string;
    readonly points: readonly (readonly [PruningResult, SubsetStability])[];
  }[];
}

/** Several dimensions of the same data are the axis themselves; otherwise the removed share is. */
function axisOf(runs: readonly PruningResult[]): Axis {
  if (runs.length > 1 && new Set(runs.map(({ elements }) => elements)).size === runs.length && sameSubsets(runs)) {
    const ordered = [...runs].sort((a, b) => a.elements - b.elements);
    return {
      label: 'log2 of the dimension',
      of: ({ elements }) => Math.log2(elements),
      curves: runs[0]!.subsets.map(({ name }, i) => ({
        name,
        points: ordered.map((run) => [run, run.subsets[i]!] as const),
      })),
    };
  }
  return {
    label: 'share of the data that is removed',
    of: (_, { removed }) => removed,
    curves: runs.map((run) => ({
      name: run.name,
      points: run.subsets.toSorted((a, b) => a.removed - b.removed).map((subset) => [run, subset] as const),
    })),
  };
}

/** Whether runs of the same kind of data have been pruned alike. */
function sameSubsets(runs: readonly PruningResult[]): boolean {
  const facts = ({ data, subsets }: PruningResult) => JSON.stringify([data.kind, subsets.map(({ name }) => name)]);
  return runs.every((run) => run.data.kind === 'mixture' && facts(run) === facts(runs[0]!));
}

/** Most curves that are drawn with their intervals. */
const curvesWithIntervals = 2;

/**
 * Share of unchanged assignments over what is removed, or over the dimension where the runs differ in it.
 * @param level  a share to compare with, such as the paper's; null: none.
 */
export function unchangedChart(
  runs: readonly PruningResult[],
  { title, level }: { readonly title: string; readonly level: number | null },
): string {
  const { label, of, curves } = axisOf(runs);
  const series = (
    name: string,
    points: Axis['curves'][number]['points'],
    value: (subset: SubsetStability) => number,
  ) => ({
    name,
    x: points.map(([run, subset]) => of(run, subset)),
    y: points.map(([, subset]) => value(subset)),
  });
  const lines: Series[] = curves.flatMap(({ name, points }) => [
    { ...series(name, points, ({ unchanged }) => unchanged.share), style: 'points' as const },
    ...(curves.length > curvesWithIntervals
      ? []
      : [
          { ...series(`${name}, 95 % from`, points, ({ unchanged }) => unchanged.low), style: 'dashed' as const },
          { ...series(`${name}, 95 % to`, points, ({ unchanged }) => unchanged.high), style: 'dashed' as const },
        ]),
  ]);
  const x = curves.flatMap(({ points }) => points.map(([run, subset]) => of(run, subset)));
  const ends = [Math.min(...x), Math.max(...x)];
  const claimed: Series[] =
    level === null ? [] : [{ name: `claim: ${level}`, x: ends, y: [level, level], style: 'dashed' }];
  return lineChart([...lines, ...claimed], { title, xLabel: label, yLabel: 'share of unchanged assignments' });
}

/** Median and 95th percentile of the path deviation, and the deviation between different noises. */
export function deviationChart(runs: readonly PruningResult[], title: string): string {
  const { label, of, curves } = axisOf(runs);
  // A logarithmic axis has no 0.
  const shown = (value: number) => (value > 0 ? value : Number.NaN);
  const series = curves.flatMap(({ name, points }): Series[] => {
    const x = points.map(([run, subset]) => of(run, subset));
    return [
      { name: `${name}, median`, x, y: points.map(([, { deviation }]) => shown(deviation.median)), style: 'points' },
      {
        name: `${name}, 95th percentile`,
        x,
        y: points.map(([, { deviation }]) => shown(deviation.p95)),
        style: 'points',
      },
      {
        name: `${name}, different noises`,
        x,
        y: points.map(([{ baseline }]) => shown(baseline.mean)),
        style: 'dashed',
      },
    ];
  });
  return lineChart(series, { title, xLabel: label, yLabel: 'path deviation, latent units', yScale: 'log' });
}

/** Writes texts by name into a folder. @returns their paths. */
export function writeTexts(folder: string, texts: Readonly<Record<string, string>>): string[] {
  mkdirSync(folder, { recursive: true });
  return Object.entries(texts).map(([name, text]) => {
    const path = join(folder, name);
    writeWhole(path, text);
    return path;
  });
}

/** Writes the files of an analysis. @param result  what the JSON file holds. @returns their paths. */
export function writePruningFiles(folder: string, runs: readonly PruningResult[], result: unknown): string[] {
  return writeTexts(folder, {
    'pruning-stability.json': `${JSON.stringify(result, null, 2)}\n`,
    'pruning-stability.csv': pruningCsv(runs),
    'unchanged.svg': unchangedChart(runs, { title: 'Assignments that pruning leaves', level: null }),
    'deviation.svg': deviationChart(runs, 'Path deviation under pruning'),
  });
}
