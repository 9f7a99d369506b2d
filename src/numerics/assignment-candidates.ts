/** The columns that matter to a row of an assignment problem, so that most steps of the solver need not read the whole row. */
import { invalidEntry } from './assignment-errors.ts';
import type { Tableau } from './assignment-tableau.ts';

/**
 * For each row, the columns whose reduced cost (cost less column dual) was below `bound` when they were selected; every other column
 * had at least that much. Duals only decrease afterwards, so reduced costs only increase and the bound stays true, to the bit, since
 * rounding is monotone. A search that stays below the bounds of its rows therefore needs no other column, and is exact.
 */
export interface Candidates {
  /** Most candidates of a row. */
  readonly width: number;
  /** How many a row has, int32 [rows]. */
  readonly count: Int32Array;
  /** int32 [rows, width] */
  readonly column: Int32Array;
  /** Costs, float64 [rows, width]. */
  readonly cost: Float64Array;
  /** float64 [rows]; Infinity where the candidates are all columns that the row may have. */
  readonly bound: Float64Array;
  /** By how much a bound should exceed the row's least reduced cost; follows from how many candidates that gave to earlier rows. */
  spread: number;
  /** Reduced costs in ascending order, float64 [width]. */
  readonly ascending: Float64Array;
}

/** What `spread` is multiplied by where a selection gave few candidates, many, or too many. */
const wider = 1.1;
const narrower = 0.95;
const muchNarrower = 0.9;

/** No candidates, and bounds that say nothing. */
export function createCandidates(rows: number): Candidates {
  // Fewer need more selections, more make each scan longer. Measured: 16 for up to 1024 points, 64 for 4096 and more.
  const width = Math.min(64, Math.max(16, rows >> 6));
  return {
    width,
    count: new Int32Array(rows),
    column: new Int32Array(rows * width),
    cost: new Float64Array(rows * width),
    bound: new Float64Array(rows).fill(Number.NEGATIVE_INFINITY),
    spread: 0,
    ascending: new Float64Array(width),
  };
}

/**
 * Selects the candidates of row i by the present duals: the columns below `wanted`, as far as there is room, and at least the nearest
 * two (where the row may have two), whatever was wanted.
 * @throws NumericalError for NaN and -Infinity.
 */
export function selectCandidates(tableau: Tableau, i: number, wanted: number): void {
  const offset = tableau.load(i);
  const { line, duals, columns, candidates } = tableau;
  const { width, column, cost } = candidates;
  const start = i * width;
  const end = start + width;
  let limit = wanted;
  let at = start;
  for (let j = 0; j < columns; j++) {
    const value = line[offset + j]!;
    const reduced = value - duals[j]!;
    // Written so that what is not a number is met here too.
    if (reduced >= limit) continue;
    if (!(reduced > Number.NEGATIVE_INFINITY)) throw invalidEntry();
    if (at === end) {
      limit = dropFarther(tableau, i);
      at = start + candidates.count[i]!;
      if (reduced >= limit) continue;
    }
    column[at] = j;
    cost[at] = value;
    at++;
  }
  const count = at - start;
  if (count < width / 3) candidates.spread *= wider;
  else if (limit < wanted || count > 0.8 * width) candidates.spread *= narrower;
  if (count < 2) {
    selectNearest(tableau, i);
    return;
  }
  candidates.count[i] = count;
  candidates.bound[i] = limit;
}

/** Makes room in a full row: drops the candidates that are not nearer than the mean of all. @returns the mean. */
function dropFarther({ duals, candidates }: Tableau, i: number): number {
  const { width, count, column, cost } = candidates;
  const start = i * width;
  const end = start + width;
  let sum = 0;
  for (let k = start; k < end; k++) sum += cost[k]! - duals[column[k]!]!;
  const mean = sum / width;
  let at = start;
  for (let k = start; k < end; k++) {
    if (!(cost[k]! - duals[column[k]!]! < mean)) continue;
    cost[at] = cost[k]!;
    column[at] = column[k]!;
    at++;
  }
  candidates.spread *= muchNarrower;
  // Rounding can put the mean above all of them where they are equal; a limit of -Infinity then leaves the row to `selectNearest`.
  count[i] = at === end ? 0 : at - start;
  return at === end ? Number.NEGATIVE_INFINITY : mean;
}

/** Selects the nearest columns of row i, which is loaded, in ascending order; slower than by a limit. */
function selectNearest(tableau: Tableau, i: number): void {
  const offset = tableau.load(i);
  const { line, duals, columns, candidates } = tableau;
  const { width, count, column, cost, bound, ascending } = candidates;
  const start = i * width;
  let kept = 0;
  let limit = Number.POSITIVE_INFINITY;
  for (let j = 0; j < columns; j++) {
    const reduced = line[offset + j]! - duals[j]!;
    if (!(reduced < limit)) continue;
    let place = kept < width ? kept++ : width - 1;
    for (; place > 0 && ascending[place - 1]! > reduced; place--) {
      ascending[place] = ascending[place - 1]!;
      column[start + place] = column[start + place - 1]!;
    }
    ascending[place] = reduced;
    column[start + place] = j;
    if (kept === width) limit = ascending[width - 1]!;
  }
  for (let k = start; k < start + kept; k++) cost[k] = line[offset + column[k]!]!;
  count[i] = kept;
  bound[i] = limit;
  if (kept > 1) candidates.spread = Math.max(candidates.spread, ascending[kept >> 1]! - ascending[0]!);
}
