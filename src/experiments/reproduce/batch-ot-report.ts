import type { Estimate } from '../../numerics/estimate.ts';
import { textTable } from '../../report/text-table.ts';
import {
  type BatchCell,
  type BoundVerdict,
  type CellPlace,
  type SimilarityNeeded,
  toleratedErrors,
} from './batch-ot-claims.ts';

/** Batch sizes that the terminal shows; the files have all. */
const shownFactor = 8;

/** Tables and sentences: the paper's bound beside the measured similarities, and whether it holds. */
export function boundLines(
  cells: readonly BatchCell[],
  verdict: BoundVerdict,
  needed: readonly SimilarityNeeded[],
): string[] {
  return [
    'Mean similarity <x1, x0> of source and target: bound of the paper, and measured',
    '',
    ...similarityTable(cells),
    '',
    'Batch size at which the mean similarity reaches 1/2 (what the paper asks for, without the term |E x1*|^2), and e^(d/2), from which',
    'the same bound allows a similarity of 1, which a velocity of 0 takes',
    '',
    ...neededTable(needed),
    '',
    ...verdictLines(cells.length, verdict),
  ];
}

function similarityTable(cells: readonly BatchCell[]): string[] {
  const rows = cells
    .filter(({ batch }, index) => Number.isInteger(Math.log(batch / 2) / Math.log(shownFactor)) || isLast(cells, index))
    .map(({ dimensions, batch, bound, maximal, paired }) => [
      String(dimensions),
      String(batch),
      bound.toFixed(5),
      estimateText(maximal),
      (maximal.mean / bound).toFixed(2),
      estimateText(paired),
      (paired.mean / bound).toFixed(2),
    ]);
  return textTable(['d', 'n', 'bound', 'best target', 'of bound', 'optimal pairing', 'of bound'], rows);
}

/** Whether a cell is that of the largest batch of its dimensions. */
function isLast(cells: readonly BatchCell[], index: number): boolean {
  return cells[index + 1]?.dimensions !== cells[index]!.dimensions;
}

function neededTable(needed: readonly SimilarityNeeded[]): string[] {
  const rows = needed.map(({ dimensions, bound, maximal, paired, boundOfOne }) => [
    String(dimensions),
    sizeText(bound),
    sizeText(maximal),
    sizeText(paired),
    sizeText(boundOfOne),
  ]);
  return textTable(['d', 'paper e^(d/8)', 'best target', 'optimal pairing', 'e^(d/2)'], rows);
}

function verdictLines(count: number, { violations, tightest, loosest }: BoundVerdict): string[] {
  const near = `it is tightest at ${placeText(tightest)}, where ${tightest.ratio.toFixed(2)} of it was measured, and loosest at ${placeText(loosest)}, with ${loosest.ratio.toFixed(2)}`;
  if (violations.length === 0) return [`The bound holds in all ${count} cells; ${near}.`];
  const places = violations.map(placeText).join('; ');
  return [
    `THE BOUND IS VIOLATED in ${violations.length} of ${count} cells, by more than ${toleratedErrors} standard errors: ${places}.`,
    `As measured, ${near}.`,
  ];
}

const placeText = ({ dimensions, batch }: CellPlace) => `n = ${batch}, d = ${dimensions}`;

const estimateText = ({ mean, standardError }: Estimate) => `${mean.toFixed(5)} ± ${standardError.toFixed(5)}`;

/** A batch size to three digits; a dash where none was found. */
function sizeText(size: number | null): string {
  if (size === null) return '-';
  return size < 1e5 ? size.toFixed(size < 100 ? 1 : 0) : size.toExponential(1);
}
