/** `analyze curvature` as files: numbers as JSON and CSV, and two charts. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Estimate } from '../numerics/estimate.ts';
import { lineChart } from '../report/line-chart.ts';
import type { RunCurvature } from './curvature-request.ts';
import { MEASURE_CONVENTIONS, measureRows } from './flow-measures.ts';
import { writeWhole } from './run-directory.ts';

/** The middle of each interval. */
function middles(times: readonly number[]): number[] {
  return times.slice(1).map((time, k) => (times[k]! + time) / 2);
}

function csvText(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const csvHeader = 'run,quantity,time,evaluations,mean,standardError,count';

/** All estimates in long form: one a line, with the interval's middle or the evaluations that it belongs to. */
export function curvatureCsv(runs: readonly RunCurvature[]): string {
  const line = (where: readonly (string | number)[], { mean, standardError, count }: Estimate) =>
    [...where.map((value) => csvText(String(value))), mean, standardError, count].join(',');
  const lines = runs.flatMap(({ name, times, curvature, measures }) => {
    const time = middles(times);
    return [
      ...curvature.map((estimate, k) => line([name, 'curvature', time[k]!, ''], estimate)),
      ...measureRows(measures).map(({ quantity, evaluations, value }) =>
        line([name, quantity, '', evaluations ?? ''], value),
      ),
    ];
  });
  return `${[csvHeader, ...lines].join('\n')}\n`;
}

function curvatureChart(runs: readonly RunCurvature[]): string {
  const series = runs.map(({ name, times, curvature }) => ({
    name,
    x: middles(times),
    y: curvature.map(({ mean }) => mean),
  }));
  return lineChart(series, {
    title: 'Curvature of the sampling trajectories',
    xLabel: 'time, from noise (0) to data (1)',
    yLabel: `1 - cos of consecutive velocities, ${runs[0]!.times.length - 1} intervals`,
    yRange: [0, null],
  });
}

function solverErrorChart(runs: readonly RunCurvature[]): string {
  const series = runs.map(({ name, measures: { solverErrors } }) => ({
    name,
    x: solverErrors.map(({ evaluations }) => evaluations),
    // A logarithmic axis has no 0.
    y: solverErrors.map(({ rootMeanSquare: { mean } }) => (mean > 0 ? mean : Number.NaN)),
    style: 'points' as const,
  }));
  return lineChart(series, {
    title: `Distance of samples by ${runs[0]!.solver.kind} from those of a fine solution`,
    xLabel: 'evaluations of the model for a sample',
    yLabel: 'root mean square over the elements, latent units',
    yScale: 'log',
  });
}

/** Writes the files into a folder. @returns their paths. */
export function writeCurvatureFiles(folder: string, runs: readonly RunCurvature[], firstSeed: number): string[] {
  const texts = {
    'curvature.json': `${JSON.stringify({ conventions: MEASURE_CONVENTIONS, firstSeed, runs }, null, 2)}\n`,
    'curvature.csv': curvatureCsv(runs),
    'curvature.svg': curvatureChart(runs),
    'solver-error.svg': solverErrorChart(runs),
  };
  mkdirSync(folder, { recursive: true });
  return Object.entries(texts).map(([name, text]) => {
    const path = join(folder, name);
    writeWhole(path, text);
    return path;
  });
}
