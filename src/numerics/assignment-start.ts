/** Where the assignment solver starts from: duals of the columns, lower bounds of the rows, and the pairs of a given pairing. */
import { selectCandidates } from './assignment-candidates.ts';
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
function reduceColumns({ rows, columns, line, duals, load, candidates }: Tableau): void {
  const square = rows === columns;
  duals.fill(square ? Number.POSITIVE_INFINITY : 0);
  for (let i = 0; i < rows; i++) {
    const offset = load(i);
    let least = Number.POSITIVE_INFINITY;
    for (let j = 0; j < columns; j++) {
      const value = line[offset + j]!;
      // Written so that what is not a number is met here too.
      if (value >= least) continue;
      if (!(value > Number.NEGATIVE_INFINITY)) throw invalidEntry();
      least = value;
    }
    if (least === Number.POSITIVE_INFINITY) throw infeasible();
    candidates.bound[i] = least;
    if (!square) continue;
    for (let j = 0; j < columns; j++) {
      const value = line[offset + j]! - least;
      if (value < duals[j]!) duals[j] = value;
    }
  }
  for (let j = 0; j < columns; j++) if (duals[j] === Number.POSITIVE_INFINITY) throw infeasible();
}

/**
 * Selects the candidates of each row, as far as the column that it had and a little farther, and makes the pairs of the start that are
 * tight: whose reduced cost is the least of their row. One pass over the costs.
 */
function keepTightPairs(tableau: Tableau, start: Int32Array): void {
  const { rows, duals, candidates } = tableau;
  const { width, count, column: columnAt, cost: costAt } = candidates;
  for (let i = 0; i < rows; i++) {
    const column = start[i]!;
    const cost = tableau.cost(i, column);
    const reduced = cost - duals[column]!;
    selectCandidates(tableau, i, reduced + candidates.spread);
    if (count[i] === 0) throw infeasible();
    let tight = cost < Number.POSITIVE_INFINITY;
    const end = i * width + count[i]!;
    for (let k = i * width; tight && k < end; k++) tight = costAt[k]! - duals[columnAt[k]!]! >= reduced;
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
 * @param free  int32 [rows], gets the rows without a pair.
 * @returns how many they are.
 * @throws NumericalError for NaN, an infinity of the wrong sign, or a row or column without a possible pair.
 */
export function prepare(tableau: Tableau, free: Int32Array, start: TableauStart | null): number {
  const { rows, columns, duals, columnOf } = tableau;
  const given = start === null || rows !== columns ? null : roundedDuals(tableau, start);
  if (given === null) reduceColumns(tableau);
  else duals.set(given);
  if (start !== null && given !== null) keepTightPairs(tableau, start.columnOf);
  let count = 0;
  for (let i = 0; i < rows; i++) if (columnOf[i]! < 0) free[count++] = i;
  return count;
}
