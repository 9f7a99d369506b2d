import { selectCandidates } from './assignment-candidates.ts';
import { setPair, type Tableau } from './assignment-tableau.ts';

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
 * @param free  the rows without a pair, int32; gets those that are left.
 * @returns how many are left.
 */
export function reduceRows(
  tableau: Tableau,
  free: Int32Array,
  { count, excess = 0, turnsPerRow = 4 }: RowReduction,
): number {
  const { rows, duals, rowOf, columnOf, candidates } = tableau;
  const { width, bound, column, cost } = candidates;
  let next = 0;
  let left = 0;
  let turns = 0;
  while (next < count) {
    const i = free[next++]!;
    let least: number;
    let second: number;
    let nearest: number;
    let other: number;
    for (;;) {
      least = second = Number.POSITIVE_INFINITY;
      nearest = other = -1;
      const start = i * width;
      const end = start + candidates.count[i]!;
      for (let k = start; k < end; k++) {
        const reduced = cost[k]! - duals[column[k]!]!;
        if (reduced < least) {
          second = least;
          other = nearest;
          least = reduced;
          nearest = k;
        } else if (reduced < second || (reduced === least && rowOf[column[other]!]! >= 0 && rowOf[column[k]!]! < 0)) {
          // A free column goes before one of equal worth that has a row.
          second = reduced;
          other = k;
        }
      }
      if (second <= bound[i]!) break;
      selectCandidates(tableau, i, bound[i]! + candidates.spread);
    }
    const lowered = duals[column[nearest]!]! - (second - least) - excess;
    // Where the difference is lost in rounding, nothing is gained by going on at once.
    const gained = lowered < duals[column[nearest]!]! && second < Number.POSITIVE_INFINITY;
    if (gained) duals[column[nearest]!] = lowered;
    else if (second === least && rowOf[column[nearest]!]! >= 0) nearest = other;
    const j = column[nearest]!;
    const former = rowOf[j]!;
    if (former >= 0 && !gained) {
      // Taking the column would only free another row.
      free[left++] = i;
      continue;
    }
    setPair(tableau, i, { column: j, cost: cost[nearest]! });
    if (former < 0) continue;
    columnOf[former] = -1;
    if (turns++ < turnsPerRow * rows) free[--next] = former;
    else free[left++] = former;
  }
  return left;
}
