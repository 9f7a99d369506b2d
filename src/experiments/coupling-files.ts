/** `analyze coupling` as files: numbers as JSON and CSV, and two charts. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { lineChart, smoothed } from '../report/line-chart.ts';
import type { CouplingAnalysis, LoggedPairing } from './coupling-request.ts';
import { writeWhole } from './run-directory.ts';

/** Logged pairings to each side over which a curve is smoothed, as a share of all. */
const smoothing = 1 / 40;

const csvHeader = 'run,imagesSeen,rows,reassigned,costBefore,cost';

function csvOf(runs: readonly CouplingAnalysis[]): string {
  const lines = runs.flatMap(({ name, history }) =>
    history.map(({ imagesSeen, rows, reassigned, costBefore, cost }) =>
      [JSON.stringify(name), imagesSeen, rows, reassigned, costBefore, cost].join(','),
    ),
  );
  return `${[csvHeader, ...lines].join('\n')}\n`;
}

function curve(runs: readonly CouplingAnalysis[], of: (pairing: LoggedPairing) => number) {
  return runs
    .filter(({ history }) => history.length > 0)
    .map(({ name, history }) => ({
      name,
      x: history.map(({ imagesSeen }) => imagesSeen),
      y: smoothed(history.map(of), Math.ceil(history.length * smoothing)),
    }));
}

function optima(runs: readonly CouplingAnalysis[]) {
  return runs.flatMap(({ name, imagesSeen, optimum }) =>
    optimum === null
      ? []
      : [{ name: `optimum, ${name}`, x: [0, imagesSeen], y: [optimum.cost, optimum.cost], style: 'dashed' as const }],
  );
}

/** Writes the files into a folder. @returns their paths. */
export function writeCouplingFiles(folder: string, runs: readonly CouplingAnalysis[]): string[] {
  const charts = {
    'reassignments.svg': lineChart(
      curve(runs, ({ reassigned, rows }) => reassigned / rows),
      { title: 'Reassignments', xLabel: 'images seen', yLabel: 'share of a batch', yRange: [0, null] },
    ),
    'transport-cost.svg': lineChart([...curve(runs, ({ cost }) => cost), ...optima(runs)], {
      title: 'Transport cost of the batches',
      xLabel: 'images seen',
      yLabel: 'cost per pair',
    }),
  };
  const files = {
    'coupling.json': `${JSON.stringify({ runs }, null, 2)}\n`,
    'coupling.csv': csvOf(runs),
    ...(runs.some(({ history }) => history.length > 0) ? charts : {}),
  };
  mkdirSync(folder, { recursive: true });
  return Object.entries(files).map(([name, text]) => {
    const path = join(folder, name);
    writeWhole(path, text);
    return path;
  });
}
