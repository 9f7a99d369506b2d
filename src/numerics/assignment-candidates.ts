/** Selection of the columns that matter to a row of an assignment problem, so that most steps of the solver need not read the whole row. */
import { invalidEntry } from './assignment-errors.ts';
import type { Tableau } from './assignment-tableau.ts';

/** What `spread` is multiplied by where a selection gave few candidates, many, or too many. */
const wider = 1.1;
const narrower = 0.95;
const muchNarrower = 0.9;

/** How often a selection that gave fewer than two is made anew with a higher bound before the nearest are sought. */
const attempts = 2;

/** Where a loaded row lies in memory, in bytes, from where it starts in `memory.line`. */
export function rowAddress({ memory: { line, lineAt } }: Tableau, offset: number): number {
  return lineAt + offset * line.BYTES_PER_ELEMENT;
}

/**
 * Selects the candidates of row i by the present duals: the columns below `wanted`, as far as there is room, and at least the nearest
 * two (where the row may have two), whatever was wanted.
 * @throws NumericalError for NaN and -Infinity.
 */
export function selectCandidates(tableau: Tableau, i: number, wanted: number): void {
  const { width, count, bound } = tableau.memory;
  const row = rowAddress(tableau, tableau.load(i));
  let limit = selectBelow(tableau, { i, row, wanted });
  if (count[i]! < width / 3) tableau.spread *= wider;
  else if (limit < wanted || count[i]! > 0.8 * width) tableau.spread *= narrower;
  let higher = wanted;
  for (let attempt = 0; attempt < attempts && count[i]! < 2 && limit === higher; attempt++) {
    higher += 2 * tableau.spread;
    limit = selectBelow(tableau, { i, row, wanted: higher });
  }
  bound[i] = limit;
  if (count[i]! < 2) selectNearest(tableau, i);
}

interface Selection {
  readonly i: number;
  /** Where the row lies. */
  readonly row: number;
  readonly wanted: number;
}

/** Selects the columns below what is wanted. @returns that, or less where there was no room for all. */
function selectBelow(tableau: Tableau, { i, row, wanted }: Selection): number {
  const { columns, memory } = tableau;
  const { width, count, kernels } = memory;
  let limit = wanted;
  count[i] = 0;
  for (let from = 0; from < columns; ) {
    from = kernels.select(row, i, from, limit);
    if (from < 0) throw invalidEntry();
    while (count[i]! > width) limit = dropFarther(tableau, i);
  }
  return limit;
}

/** Makes room in a full row: drops the candidates that are not nearer than the mean of all. @returns the mean. */
function dropFarther(tableau: Tableau, i: number): number {
  const { stride, count, column, cost, duals } = tableau.memory;
  const start = i * stride;
  const selected = count[i]!;
  const end = start + selected;
  let sum = 0;
  for (let k = start; k < end; k++) sum += cost[k]! - duals[column[k]!]!;
  const mean = sum / selected;
  let at = start;
  for (let k = start; k < end; k++) {
    if (!(cost[k]! - duals[column[k]!]! < mean)) continue;
    cost[at] = cost[k]!;
    column[at] = column[k]!;
    at++;
  }
  tableau.spread *= muchNarrower;
  // Rounding can put the mean above all of them where they are equal; a limit of -Infinity then leaves the row to `selectNearest`.
  count[i] = at === end ? 0 : at - start;
  return at === end ? Number.NEGATIVE_INFINITY : mean;
}

/** Selects the nearest columns of row i in ascending order; slower than by a limit. */
function selectNearest(tableau: Tableau, i: number): void {
  const offset = tableau.load(i);
  const { columns, memory } = tableau;
  const { line, duals, width, stride, count, column, cost, bound } = memory;
  const start = i * stride;
  // Reduced costs stand in the place of the costs until all are found.
  let kept = 0;
  let limit = Number.POSITIVE_INFINITY;
  for (let j = 0; j < columns; j++) {
    const reduced = line[offset + j]! - duals[j]!;
    if (!(reduced < limit)) continue;
    let place = start + (kept < width ? kept++ : width - 1);
    for (; place > start && cost[place - 1]! > reduced; place--) {
      cost[place] = cost[place - 1]!;
      column[place] = column[place - 1]!;
    }
    cost[place] = reduced;
    column[place] = j;
    if (kept === width) limit = cost[start + width - 1]!;
  }
  if (kept > 1) tableau.spread = Math.max(tableau.spread, cost[start + (kept >> 1)]! - cost[start]!);
  for (let k = start; k < start + kept; k++) cost[k] = line[offset + column[k]!]!;
  count[i] = kept;
  bound[i] = limit;
}
