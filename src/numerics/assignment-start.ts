/** Where the assignment solver starts from: duals of the columns, lower bounds of the rows, and the pairs of a given pairing. */
import { rowAddress, selectCandidates } from './assignment-candidates.ts';
import { infeasible, invalidEntry } from './assignment-errors.ts';
import { setPair, type Tableau } from './assignment-tableau.ts';

/** A pairing of a tableau, and duals of its columns if they are known. */
export interface TableauStart {
  /** int32 [rows]; all columns differ. */
  readonly columnOf: Int32Array;
  /** float64 [columns], to be minimised with, or null. */
  readonly duals: Float64Array | null;
}

/**
 * Column reduction, [jonker:87], section 3, after row constants are taken off: v_j = min_i (c_ij - r_i), r_i = min_j c_ij. The row
 * constants change no assignment, but keep rows that are cheap everywhere, as short vectors are, from being every column's nearest.
 * Where there are more columns than rows, a column that stays free must have the largest dual, so all of them start from zero.
 */
function reduceColumns(tableau: Tableau): void {
  const { rows, columns, load, memory } = tableau;
  const { duals, bound, kernels } = memory;
  const square = rows === columns;
  duals.fill(square ? Number.POSITIVE_INFINITY : 0);
  for (let i = 0; i < rows; i++) {
    const row = rowAddress(tableau, load(i));
    const least = kernels.least(row);
    if (Number.isNaN(least)) throw invalidEntry();
    if (least === Number.POSITIVE_INFINITY) throw infeasible();
    bound[i] = least;
    if (square) kernels.lower(row, least);
  }
  for (let j = 0; j < columns; j++) if (duals[j] === Number.POSITIVE_INFINITY) throw infeasible();
}

/**
 * Selects the candidates of each row, as far as the column that it had and a little farther, and makes the pairs of the start that are
 * tight: whose reduced cost is the least of their row. One pass over the costs.
 */
function keepTightPairs(tableau: Tableau, start: Int32Array): void {
  const { rows, memory } = tableau;
  const { duals, stride, count, column: columnAt, cost: costAt } = memory;
  for (let i = 0; i < rows; i++) {
    const column = start[i]!;
    const cost = tableau.cost(i, column);
    const reduced = cost - duals[column]!;
    selectCandidates(tableau, i, reduced + tableau.spread);
    if (count[i] === 0) throw infeasible();
    let tight = cost < Number.POSITIVE_INFINITY;
    const end = i * stride + count[i]!;
    for (let k = i * stride; tight && k < end; k++) tight = costAt[k]! - duals[columnAt[k]!]! >= reduced;
    if (tight) setPair(tableau, i, { column, cost });
  }
}

/** How many times the costs' size a start's duals may have. Each factor of two takes a bit of the costs from their 53. */
const largestDuals = 64;

/**
 * The duals of a start, rounded to multiples of 2^-23 of the size of the costs, so that float32 costs less duals are exact in float64
 * and pairs of equal worth stay equal; null where they are too large to be of use.
 */
function roundedDuals(tableau: Tableau, { columnOf, duals }: TableauStart): Float64Array | null {
  if (duals === null) return null;
  let size = 0;
  for (let i = 0; i < columnOf.length; i++) {
    const cost = Math.abs(tableau.cost(i, columnOf[i]!));
    if (cost > size && cost < Number.POSITIVE_INFINITY) size = cost;
  }
  const unit = 2 ** (Math.floor(Math.log2(size)) - 23);
  let largest = 0;
  for (let j = 0; j < duals.length; j++) {
    const value = duals[j]!;
    if (!Number.isFinite(value)) throw invalidEntry();
    largest = Math.max(largest, Math.abs(value));
  }
  if (!(largest < largestDuals * size) || !(unit > 0)) return null;
  const rounded = new Float64Array(duals.length);
  for (let j = 0; j < duals.length; j++) rounded[j] = Math.round(duals[j]! / unit) * unit;
  return rounded;
}

/**
 * Prepares a tableau: duals, bounds, and with a start the pairs that are tight under the duals.
 *
 * The rows without a pair are the first of `memory.free` afterwards.
 * @returns how many they are.
 * @throws NumericalError for NaN, an infinity of the wrong sign, or a row or column without a possible pair.
 */
export function prepare(tableau: Tableau, start: TableauStart | null): number {
  const { rows, columns, memory } = tableau;
  const { duals, columnOf, free } = memory;
  const given = start === null || rows !== columns ? null : roundedDuals(tableau, start);
  if (given === null) reduceColumns(tableau);
  else duals.set(given);
  if (start !== null && given !== null) keepTightPairs(tableau, start.columnOf);
  let count = 0;
  for (let i = 0; i < rows; i++) if (columnOf[i]! < 0) free[count++] = i;
  return count;
}
