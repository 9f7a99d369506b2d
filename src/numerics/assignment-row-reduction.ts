import { selectCandidates } from './assignment-candidates.ts';
import type { Tableau } from './assignment-tableau.ts';

/** How rows are reduced. */
export interface RowReduction {
  /** How many rows are free. */
  readonly count: number;
  /**
   * By how much a dual is lowered beyond the paper's; 0 by default. More than 0 is a bid of the auction, [bertsekas:88]: its pairs are tight
   * to within that much, and it ends.
   */
  readonly excess?: number;
  /** See below. Default 4; measured: more turns save paths where targets have structure, and cost time where they have none. */
  readonly turnsPerRow?: number;
}

/**
 * Augmenting row reduction, [jonker:87], section 3: a free row takes its nearest column and lowers that column's dual until the second
 * nearest is as near; the row that had the column is free, and is treated next. With every row free at first, this is the reduction
 * transfer of that paper too. It can go on for very long where rows compete with nearly equal costs, so rows that lose their column
 * are treated at once `turnsPerRow` times the rows at most, and later ones are left over.
 *
 * A pair that it makes without `excess` stays tight: its reduced cost is the least of its row. A column that has a pair keeps having one.
 * The turns are taken by a kernel, which stops at rows whose candidates do not suffice. The free rows are the first `count` of
 * `memory.free`; those that are left come to stand there.
 * @returns how many are left.
 */
export function reduceRows(tableau: Tableau, { count, excess = 0, turnsPerRow = 4 }: RowReduction): number {
  const { rows, memory } = tableau;
  const { kernels, bound, read, write } = memory;
  write('next', 0);
  write('count', count);
  write('left', 0);
  write('turns', 0);
  write('mostTurns', turnsPerRow * rows);
  for (let i = kernels.reduce(excess); i >= 0; i = kernels.reduce(excess)) {
    selectCandidates(tableau, i, bound[i]! + tableau.spread);
  }
  return read('left');
}
