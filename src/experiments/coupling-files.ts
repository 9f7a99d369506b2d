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

/** The optimum of the first run that has one: those of the others lie within a line's width of it. */
function optimumLine(runs: readonly CouplingAnalysis[]) {
  const first = runs.find(({ optimum }) => optimum !== null);
  if (first === undefined || first.optimum === null) return [];
  const { kind, cost } = first.optimum;
  const name = `${kind === 'exact' ? 'optimum' : 'lower bound'}, ${first.name}`;
  return [{ name, x: [0, first.imagesSeen], y: [cost, cost], style: 'dashed' as const }];
}

/** Writes the files into a folder. @returns their paths. */
export function writeCouplingFiles(folder: string, runs: readonly CouplingAnalysis[]): string[] {
  const charts = {
    'reassignments.svg': lineChart(
      curve(runs, ({ reassigned, rows }) => reassigned / rows),
      { title: 'Reassignments', xLabel: 'images seen', yLabel: 'share of a batch', yRange: [0, null] },
    ),
    'transport-cost.svg': lineChart([...curve(runs, ({ cost }) => cost), ...optimumLine(runs)], {
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
