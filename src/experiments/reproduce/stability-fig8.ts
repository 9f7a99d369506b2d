/** Figure 8 of [briq:26]: how far the trajectories on pruned data are from those on all data. */
import { textTable } from '../../report/text-table.ts';
import { deviationChart } from '../pruning-files.ts';
import type { PruningCase, PruningResult } from '../pruning-request.ts';
import { caseText, deviationText, stabilityConventions, stabilityTable } from '../pruning-text.ts';
import type { Reproduction } from './reproduction.ts';
import {
  mainCases,
  prepareStability,
  type StabilityFigure,
  type StabilityReport,
  statedFraction,
} from './stability-cases.ts';
import { type DeviationVerdict, judgeDeviation, nearestSubset, smallDeviation } from './stability-claims.ts';

/** Appendix A.2: at 0.8 removed, and between different noises. */
const paper = [
  { name: 'paper: CelebA-HQ latents', median: '0.58', p95: '1.22', baseline: '80.15 ± 2.07', ratio: '1.5 %' },
  { name: 'paper: Synth', median: '-', p95: '-', baseline: '73.51 ± 1.12', ratio: '-' },
] as const;

/**
 * Median and 95th percentile of the path deviation when 0.1 to 0.9 of the data are removed, beside the deviation between different noises;
 * the data are those of figure 2.
 */
export const stabilityFig8: Reproduction = (request) =>
  prepareStability(deviationFigure(request.seed, mainCases(request)));

/** The figure with cases of one's own. */
export function deviationFigure(seed: number, cases: readonly PruningCase[]): StabilityFigure {
  return { name: 'stability-fig8', seed, cases, report: reportDeviations };
}

function reportDeviations(runs: readonly PruningResult[]): StabilityReport {
  const verdicts = runs.map((run) => judgeDeviation(run, statedFraction));
  return {
    lines: [
      'Figure 8: path deviation of the exact flow when data are removed',
      '',
      ...runs.flatMap((run) => [caseText(run), '', ...stabilityTable(run), '']),
      `At ${statedFraction} removed`,
      '',
      ...comparison(runs),
      '',
      ...stabilityConventions,
      '',
      ...verdicts.map(verdictLine),
    ],
    agrees: verdicts.every(({ small }) => small),
    claims: { smallDeviation, verdicts },
    charts: { 'deviation.svg': deviationChart(runs, 'Path deviation under pruning (figure 8)') },
  };
}

function comparison(runs: readonly PruningResult[]): string[] {
  const rows = runs.map(({ name, elements, subsets, baseline }) => {
    const { deviation } = nearestSubset(subsets, statedFraction);
    return [
      `${name}, ${elements} numbers`,
      deviationText(deviation.median),
      deviationText(deviation.p95),
      `${baseline.mean.toFixed(2)} ± ${baseline.standardDeviation.toFixed(2)}`,
      `${((100 * deviation.p95) / baseline.mean).toFixed(1)} %`,
    ];
  });
  const stated = paper.map(({ name, median, p95, baseline, ratio }) => [name, median, p95, baseline, ratio]);
  return textTable(['data', 'median', 'p95', 'between noises', 'p95 of that'], [...stated, ...rows]);
}

function verdictLine({ name, removed, median, p95, small }: DeviationVerdict): string {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  return `${small ? 'FOUND' : 'NOT FOUND'} on ${name}: the deviation is small beside that of different noises. At ${removed.toFixed(2)} removed, median ${percent(median)} and 95th percentile ${percent(p95)} of it (small: below ${percent(smallDeviation)}).`;
}
