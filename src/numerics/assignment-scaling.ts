/** Duals for problems in which rows compete so closely that row reduction alone does not come to an end, as in few dimensions. */
import { reduceRows } from './assignment-row-reduction.ts';
import type { Tableau } from './assignment-tableau.ts';

/** Powers of two: the first excess beside the spread of the duals, how much smaller each is than the one before, and how many there are. */
const first = -2;
const step = 2;
const phases = 11;

/** Turns of a phase. An auction ends by itself where an assignment exists, but may take very long to, and nothing depends on its end. */
const turnsPerRow = 64;

/** Frees every row. @returns how many they are. */
function freeAll({ rows, memory: { columnOf, rowOf, free } }: Tableau): number {
  columnOf.fill(-1);
  rowOf.fill(-1);
  for (let i = 0; i < rows; i++) free[i] = i;
  return rows;
}

/**
 * Scaling of the excess, [bertsekas:88]: auctions whose bids exceed what is needed by less and less, each from the duals of the one before,
 * so that no dual has to go a long way in small steps. The duals are then so near the best ones that exact row reduction leaves few rows.
 *
 * Each excess is a power of two not far below the last place of float32 costs, so sums stay as exact as they are without it. For square
 * problems: in others, a column that stays free must keep its dual.
 *
 * All rows are free afterwards, since no pair of an auction is tight.
 * @returns how many they are.
 */
export function scaleDuals(tableau: Tableau): number {
  const { duals } = tableau.memory;
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < duals.length; j++) {
    least = Math.min(least, duals[j]!);
    greatest = Math.max(greatest, duals[j]!);
  }
  let excess = 2 ** (Math.floor(Math.log2(greatest - least)) + first);
  for (let phase = 0; phase < phases && excess > 0; phase++) {
    reduceRows(tableau, { count: freeAll(tableau), excess, turnsPerRow });
    excess *= 2 ** -step;
  }
  return freeAll(tableau);
}
