/** `analyze bounds` as files: numbers as JSON and CSV, and two charts. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { lineChart } from '../report/line-chart.ts';
import type { BoundsOutcome } from './bounds-request.ts';
import { writeWhole } from './run-directory.ts';

/** What is measured, for every file and table that shows it. Sources: [briq:26] appendix B, [benton:23]. */
export const BOUND_CONVENTIONS = {
  lipschitz: 'spectral norm of dv(x, t)/dx at xt = t x1 + (1 - t) x0, by power iteration on J^T J; per unit of time',
  velocityError:
    'E|v - u*|^2, squared Euclidean norm over all elements; u* is the exact field of the training data of the reference',
  integrals: 'trapezoidal rule between the times, the first value carried on to 0 and the last to 1',
  bound: 'exp(integral of L dt) sqrt(integral of E|v - u*|^2 dt), latent units',
  medianAndMaximum:
    'the theorem needs the Lipschitz constant, a supremum over all x; the paper takes the median over points; the maximum over points is nearer to it, and not above it',
  matched: 'root mean square distance of samples of the same noise, latent units; W2 is not above it',
} as const;

/** What an analysis found, without how long it took. */
export type FoundBounds = Omit<BoundsOutcome, 'seconds' | 'paths'>;

const csvHeader = 'run,quantity,time,other,value,standardError,count';

/** All numbers in long form, one a line. */
export function boundsCsv({ runs, lipschitz, pairwise, matched }: FoundBounds): string {
  const line = (...cells: readonly (string | number)[]) => cells.join(',');
  const text = JSON.stringify;
  const norms = lipschitz.flatMap(({ name, estimate }) =>
    estimate.times.flatMap(({ time, median, mean, maximum }) => [
      line(text(name), 'median norm', time, '', median, '', mean.count),
      line(text(name), 'mean norm', time, '', mean.mean, mean.standardError, mean.count),
      line(text(name), 'maximum norm', time, '', maximum, '', mean.count),
    ]),
  );
  const bounds = runs.flatMap(({ name, velocityErrors, bound, maximumBound }) => [
    ...velocityErrors.flatMap(({ time, square, exactSquare }) => [
      line(text(name), 'squared velocity error', time, '', square.mean, square.standardError, square.count),
      line(
        text(name),
        'squared exact velocity',
        time,
        '',
        exactSquare.mean,
        exactSquare.standardError,
        exactSquare.count,
      ),
    ]),
    line(text(name), 'velocity error over time', '', '', bound.velocityError, '', ''),
    line(text(name), 'growth by medians', '', '', bound.growth, '', ''),
    line(text(name), 'growth by maxima', '', '', maximumBound.growth, '', ''),
    line(text(name), 'bound by medians', '', '', bound.bound, '', ''),
    line(text(name), 'bound by maxima', '', '', maximumBound.bound, '', ''),
  ]);
  const pairs = runs.flatMap(({ name }, i) =>
    runs.slice(i + 1).flatMap(({ name: other }, k) => {
      const distance = matched?.[i]?.[i + 1 + k];
      return [
        line(text(name), 'bound of the pair', '', text(other), pairwise[i]![i + 1 + k]!, '', ''),
        ...(distance === undefined
          ? []
          : [
              line(text(name), 'matched distance', '', text(other), distance.rootMeanSquare, '', distance.square.count),
            ]),
      ];
    }),
  );
  return `${[csvHeader, ...norms, ...bounds, ...pairs].join('\n')}\n`;
}

const timeLabel = 'time, from noise (0) to data (1)';

function lipschitzChart({ lipschitz }: FoundBounds): string {
  const series = lipschitz.flatMap(({ name, estimate: { times } }) => {
    const x = times.map(({ time }) => time);
    return [
      { name: `${name}, median`, x, y: times.map(({ median }) => median) },
      { name: `${name}, maximum`, x, y: times.map(({ maximum }) => maximum), style: 'dashed' as const },
    ];
  });
  const yLabel = 'spectral norm of dv/dx';
  return lineChart(series, { title: 'Lipschitz constants over time', xLabel: timeLabel, yLabel, yRange: [0, null] });
}

function velocityErrorChart({ runs }: FoundBounds): string {
  const series = runs.map(({ name, velocityErrors }) => ({
    name,
    x: velocityErrors.map(({ time }) => time),
    y: velocityErrors.map(({ square }) => Math.sqrt(square.mean)),
  }));
  const { velocityErrors } = runs[0]!;
  const exact = {
    name: 'exact field itself',
    x: velocityErrors.map(({ time }) => time),
    y: velocityErrors.map(({ exactSquare }) => Math.sqrt(exactSquare.mean)),
    style: 'dashed' as const,
  };
  return lineChart([...series, exact], {
    title: 'Distance of the velocities from the exact field',
    xLabel: timeLabel,
    yLabel: 'root mean square norm, latent units',
    yScale: 'log',
  });
}

/** Writes the files into a folder. @returns their paths. */
export function writeBoundsFiles(folder: string, found: FoundBounds): string[] {
  const texts = {
    'bounds.json': `${JSON.stringify({ conventions: BOUND_CONVENTIONS, ...found }, null, 2)}\n`,
    'bounds.csv': boundsCsv(found),
    'lipschitz.svg': lipschitzChart(found),
    'velocity-error.svg': velocityErrorChart(found),
  };
  mkdirSync(folder, { recursive: true });
  return Object.entries(texts).map(([name, text]) => {
    const path = join(folder, name);
    writeWhole(path, text);
    return path;
  });
}
