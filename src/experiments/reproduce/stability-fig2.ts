/** Figure 2 of [briq:26]: how many assignments of the exact flow pruning leaves, and what that depends on. */
import { textTable } from '../../report/text-table.ts';
import { unchangedChart } from '../pruning-files.ts';
import type { PruningCase, PruningMethod, PruningResult } from '../pruning-request.ts';
import { caseText, shareText, stabilityConventions, stabilityTable } from '../pruning-text.ts';
import type { Reproduction, ReproductionRequest } from './reproduction.ts';
import {
  mainCases,
  mixtureCase,
  prepareStability,
  type StabilityFigure,
  type StabilityReport,
  stabilitySizes,
} from './stability-cases.ts';
import { claimedShare, judgeUnchanged, type UnchangedVerdict } from './stability-claims.ts';

/** Fractions of the table of what the claim depends on. */
const dependenceFractions = [0.5, 0.8, 0.9];

/** The mixture with one thing changed at a time: the paper tells neither components nor spread nor width nor steps. */
function dependenceCases({ scale, seed }: ReproductionRequest): PruningCase[] {
  const { mixtureCount: count, dependenceNoises: noises, steps } = stabilitySizes[scale];
  const mixture = (name: string, change: Parameters<typeof mixtureCase>[2], other: Partial<PruningMethod> = {}) =>
    mixtureCase(
      name,
      { seed, noises, solver: 'euler', steps, fractions: dependenceFractions, ...other },
      { count, ...change },
    );
  return [
    mixture('as above', {}),
    mixture('1 component', { components: 1 }),
    mixture('100 components', { components: 100 }),
    mixture('1000 components', { components: 1000 }),
    mixture('100 components, spread 0.7, width 0.7', { components: 100, spread: 0.7, width: 0.7 }),
    mixture('spread 0.7, width 0.7', { spread: 0.7, width: 0.7 }),
    mixture('spread 0.95, width 0.3', { spread: 0.95, width: 0.3 }),
    mixture('spread 1, width 0.1', { spread: 1, width: 0.1 }),
    mixture('spread 1, width 1', { spread: 1, width: 1 }),
    mixture(`${steps / 4} steps`, {}, { steps: steps / 4 }),
    mixture(`${steps / 2} steps`, {}, { steps: steps / 2 }),
    mixture(`${2 * steps} steps`, {}, { steps: 2 * steps }),
    mixture(`heun, ${steps / 2} steps`, {}, { steps: steps / 2, solver: 'heun' }),
    mixture('a quarter of the data', { count: Math.round(count / 4) }),
  ];
}

/**
 * The share of noises that keep their datum when 0.1 to 0.9 of the data are removed, on a mixture in 4,096 dimensions and on real images;
 * then, on mixtures, what that share depends on. The paper has CelebA-HQ and a mixture that it does not describe.
 */
export const stabilityFig2: Reproduction = (request) => {
  const main = mainCases(request);
  const dependence = dependenceCases(request);
  return prepareStability(unchangedFigure(request.seed, main, dependence));
};

/** The figure with cases of one's own. @param dependence  cases of the table; the claims are judged on `main` alone. */
export function unchangedFigure(
  seed: number,
  main: readonly PruningCase[],
  dependence: readonly PruningCase[],
): StabilityFigure {
  return {
    name: 'stability-fig2',
    seed,
    cases: [...main, ...dependence],
    report: (results) => reportUnchanged(results.slice(0, main.length), results.slice(main.length)),
  };
}

function reportUnchanged(main: readonly PruningResult[], dependence: readonly PruningResult[]): StabilityReport {
  const verdicts = main.map(judgeUnchanged);
  const others = dependence.map(judgeUnchanged);
  return {
    lines: [
      'Figure 2: noises that the exact flow takes to the same datum when data are removed (paper: above 97 % for all fractions up to 0.9)',
      '',
      ...main.flatMap((run) => [caseText(run), '', ...stabilityTable(run), '']),
      ...(dependence.length === 0 ? [] : dependenceLines(dependence, others)),
      ...stabilityConventions,
      '',
      ...verdicts.map(verdictLine),
    ],
    agrees: verdicts.every(({ verdict }) => verdict !== 'fails'),
    claims: { claimedShare, main: verdicts, dependence: others },
    charts: {
      'unchanged.svg': unchangedChart(main, {
        title: 'Assignments that pruning leaves (figure 2)',
        level: claimedShare,
      }),
    },
  };
}

function dependenceLines(runs: readonly PruningResult[], verdicts: readonly UnchangedVerdict[]): string[] {
  const removed = runs[0]!.subsets.map((subset) => `${subset.removed.toFixed(2)} removed`);
  const rows = runs.map(({ name, subsets, baseline, seconds }, i) => [
    name,
    ...subsets.map(({ unchanged }) => shareText(unchanged)),
    `${baseline.mean.toFixed(1)} ± ${baseline.standardDeviation.toFixed(1)}`,
    verdicts[i]!.verdict,
    seconds.toFixed(0),
  ]);
  const { noises, data } = runs[0]!;
  return [
    `What the share depends on: the mixture with one thing changed at a time, ${noises} noises`,
    '',
    ...textTable(['mixture', ...removed, 'between noises', '97 %', 'seconds'], rows),
    ...(data.kind === 'mixture'
      ? [
          `As above: ${data.components} components, spread ${data.spread}, width ${data.width}. Between different noises the paper has 73.51 ± 1.12 on its mixture, which`,
          'tells the variance of its data (1 in each coordinate), not how components and width share it.',
        ]
      : []),
    '',
  ];
}

function verdictLine({ name, verdict, worst, all }: UnchangedVerdict): string {
  const least =
    worst === null ? '' : `; least at ${worst.removed.toFixed(2)} removed: ${(100 * worst.share).toFixed(1)} %`;
  const words = { holds: 'FOUND', open: 'not contradicted', fails: 'NOT FOUND' }[verdict];
  return `${words} on ${name}: less than 3 % of the assignments change. All fractions together: ${shareText(all)} unchanged of ${all.trials}${least}.`;
}
