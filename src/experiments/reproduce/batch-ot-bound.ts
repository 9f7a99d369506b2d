/** Appendix B of "Generative Lines Matching Models" [matityahu:24], measured: what pairing within a batch can do, and the bound of it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../../errors.ts';
import { lineChart } from '../../report/line-chart.ts';
import { writeWhole } from '../run-directory.ts';
import { type BatchCell, judgeBound, type SimilarityNeeded, similaritiesNeeded } from './batch-ot-claims.ts';
import { type BatchOtSettings, measureCells } from './batch-ot-measurement.ts';
import { boundLines } from './batch-ot-report.ts';
import type { PreparedReproduction, Reproduction, ReproductionContext, Scale } from './reproduction.ts';

const repetitionsAt: { readonly [S in Scale]: number } = { laptop: 8, paper: 64 };

const powersOfTwo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => 2 ** (from + i));

/**
 * For n from 2 to 1024 and d from 8 to 512: the mean largest similarity of a source with the targets of its batch, the mean similarity of
 * optimally paired ones, and the bound sqrt(2 log n / d) of [matityahu:24], eq. (24); and the batch that a similarity of 1/2 takes
 * beside the paper's n = e^(d/8), eq. (25). The paper states the bound and measures nothing here; its scale differs in repetitions only.
 */
export const batchOtBound: Reproduction = ({ scale, seed, data }) => {
  if (data !== null) {
    throw new ConfigError({ expected: 'no --data, as this figure draws its own', got: data, where: 'reproduce' });
  }
  return prepareBatchOt({
    seed,
    batchSizes: powersOfTwo(1, 10),
    dimensions: powersOfTwo(3, 9),
    repetitions: repetitionsAt[scale],
  });
};

/** The reproduction with settings of one's own. */
export function prepareBatchOt(settings: BatchOtSettings): PreparedReproduction {
  return {
    settings: { ...settings },
    async run(context) {
      const began = performance.now();
      const cells = await measureCells(settings, context);
      const seconds = (performance.now() - began) / 1000;
      const verdict = judgeBound(cells);
      const needed = similaritiesNeeded(cells);
      const result = { ...settings, seconds, ...verdict, needed, cells };
      return {
        lines: boundLines(cells, verdict, needed),
        agrees: verdict.violations.length === 0,
        paths: writeFiles(context, { cells, needed, result }),
        result,
      };
    },
  };
}

/** Writes numbers and charts. @returns their paths. */
function writeFiles(
  { directory }: ReproductionContext,
  {
    cells,
    needed,
    result,
  }: {
    readonly cells: readonly BatchCell[];
    readonly needed: readonly SimilarityNeeded[];
    readonly result: Readonly<Record<string, unknown>>;
  },
): string[] {
  mkdirSync(directory, { recursive: true });
  const files: Readonly<Record<string, string>> = {
    'similarity.json': `${JSON.stringify(result, null, 2)}\n`,
    'similarity.csv': csvOf(cells),
    ...Object.fromEntries(
      needed.map(({ dimensions }) => [`similarity-d${dimensions}.svg`, similarityChart(cells, dimensions)]),
    ),
    'batch-for-half.svg': neededChart(needed),
  };
  return Object.entries(files).map(([name, text]) => {
    const path = join(directory, name);
    writeWhole(path, text);
    return path;
  });
}

function csvOf(cells: readonly BatchCell[]): string {
  const headings = 'dimensions,batch,bound,maximal,maximal_standard_error,paired,paired_standard_error,repetitions';
  const rows = cells.map(({ dimensions, batch, bound, maximal, paired }) =>
    [
      dimensions,
      batch,
      bound,
      maximal.mean,
      maximal.standardError,
      paired.mean,
      paired.standardError,
      maximal.count,
    ].join(','),
  );
  return `${[headings, ...rows].join('\n')}\n`;
}

function similarityChart(cells: readonly BatchCell[], dimensions: number): string {
  const shown = cells.filter((cell) => cell.dimensions === dimensions);
  const x = shown.map(({ batch }) => Math.log2(batch));
  return lineChart(
    [
      { name: 'bound of the paper', x, y: shown.map(({ bound }) => bound), style: 'dashed' },
      { name: 'best target of the batch', x, y: shown.map(({ maximal }) => maximal.mean), style: 'points' },
      { name: 'optimal pairing', x, y: shown.map(({ paired }) => paired.mean), style: 'points' },
    ],
    {
      title: `Similarity of source and target in ${dimensions} dimensions`,
      xLabel: 'log2 of the batch size n',
      yLabel: 'mean similarity <x1, x0>',
      yRange: [0, null],
    },
  );
}

/** The chart up to twice the dimensions for which a measured batch was large enough; beyond them there is only the formula. */
function neededChart(needed: readonly SimilarityNeeded[]): string {
  const reached = needed.filter(({ maximal }) => maximal !== null).map(({ dimensions }) => dimensions);
  const shown = needed.filter(({ dimensions }) => reached.length === 0 || dimensions <= 2 * Math.max(...reached));
  const series = (name: string, of: (one: SimilarityNeeded) => number | null) => {
    const known = shown.filter((one) => of(one) !== null);
    return {
      name,
      x: known.map(({ dimensions }) => dimensions),
      y: known.map((one) => Math.log2(of(one)!)),
      style: 'points' as const,
    };
  };
  return lineChart(
    [
      { ...series('n = e^(d/8)', ({ bound }) => bound), style: 'dashed' },
      series('best target of the batch', ({ maximal }) => maximal),
      series('optimal pairing', ({ paired }) => paired),
    ],
    {
      title: 'Batch size at which the mean similarity reaches 1/2',
      xLabel: 'dimensions d',
      yLabel: 'log2 of the batch size n',
      yRange: [0, null],
    },
  );
}
