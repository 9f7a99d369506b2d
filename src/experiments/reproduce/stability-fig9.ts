/** Figure 9 of [briq:26]: how many assignments of the exact flow pruning leaves in few and in many dimensions. */
import { ConfigError } from '../../errors.ts';
import { textTable } from '../../report/text-table.ts';
import { unchangedChart } from '../pruning-files.ts';
import { type PruningCase, type PruningResult, synthMixture } from '../pruning-request.ts';
import { shareText, stabilityConventions } from '../pruning-text.ts';
import type { Reproduction } from './reproduction.ts';
import {
  mixtureCase,
  prepareStability,
  type StabilityFigure,
  type StabilityReport,
  stabilitySizes,
  statedFraction,
} from './stability-cases.ts';
import { type DimensionVerdict, judgeDimensions, nearestSubset } from './stability-claims.ts';

const dimensions = [2, 8, 32, 128, 512, synthMixture.dimension];

/** The share of noises that keep their datum on the mixture in 2 to 4,096 dimensions, with 0.8 of the data removed, and with half of them. */
export const stabilityFig9: Reproduction = ({ scale, seed, data }) => {
  if (data !== null) {
    throw new ConfigError({ expected: 'no --data, as this figure draws its own', got: data, where: 'reproduce' });
  }
  const { mixtureCount: count, noises, steps } = stabilitySizes[scale];
  const shared = { seed, noises, solver: 'euler', steps, fractions: [0.5, statedFraction] } as const;
  const cases = dimensions.map((dimension) => mixtureCase(`dimension ${dimension}`, shared, { count, dimension }));
  return prepareStability(dimensionFigure(seed, cases));
};

/** The figure with cases of one's own. */
export function dimensionFigure(seed: number, cases: readonly PruningCase[]): StabilityFigure {
  return { name: 'stability-fig9', seed, cases, report: reportDimensions };
}

function reportDimensions(runs: readonly PruningResult[]): StabilityReport {
  const shares = runs.map(({ elements, subsets }) => ({
    dimension: elements,
    unchanged: nearestSubset(subsets, statedFraction).unchanged,
  }));
  const verdict = judgeDimensions(shares);
  const { count, noises, solver, steps, seed, data } = runs[0]!;
  const mixture =
    data.kind === 'mixture' ? `, ${data.components} components, spread ${data.spread}, width ${data.width}` : '';
  return {
    lines: [
      'Figure 9: noises that the exact flow takes to the same datum when data are removed, by the dimension of the data',
      '',
      ...dimensionTable(runs),
      '',
      `${count} data${mixture}; ${noises} noises, ${solver} with ${steps} steps, seed ${seed}. Unchanged with the 95 % interval, of how many noises.`,
      ...stabilityConventions,
      '',
      verdictLine(verdict),
    ],
    agrees: verdict.rises && verdict.falls.length === 0,
    claims: { ...verdict, shares },
    charts: {
      'unchanged.svg': unchangedChart(runs, {
        title: 'Assignments that pruning leaves, by dimension (figure 9)',
        level: null,
      }),
    },
  };
}

function dimensionTable(runs: readonly PruningResult[]): string[] {
  const removed = runs[0]!.subsets.flatMap((subset) => [`${subset.removed.toFixed(2)} removed`, 'of']);
  const rows = runs.map(({ elements, subsets, finalWeight, evaluations, seconds }) => [
    String(elements),
    ...subsets.flatMap(({ unchanged }) => [shareText(unchanged), String(unchanged.trials)]),
    finalWeight.toFixed(4),
    evaluations.toFixed(1),
    seconds.toFixed(0),
  ]);
  return textTable(['D', ...removed, 'weight at the end', 'evaluations', 'seconds'], rows);
}

function verdictLine({ rises, falls }: DimensionVerdict): string {
  const found = rises && falls.length === 0;
  const where = falls.length === 0 ? '' : ` It falls at D = ${falls.join(', ')}.`;
  const ends = rises ? '' : ' It is not higher in the most dimensions than in the fewest.';
  return `${found ? 'FOUND' : 'NOT FOUND'}: as D increases, the assignment changes less (${statedFraction} removed, beyond the intervals).${where}${ends}`;
}
