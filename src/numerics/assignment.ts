/** Exact linear assignment: which column each row takes so that the sum of costs is least, or greatest. */
import { ConfigError, ShapeError } from '../errors.ts';
import { infeasible } from './assignment-errors.ts';
import { augment, createPathSearch } from './assignment-paths.ts';
import { reduceRows } from './assignment-row-reduction.ts';
import { scaleDuals } from './assignment-scaling.ts';
import { prepare, type TableauStart } from './assignment-start.ts';
import { type CostMatrix, createTableau, type Tableau } from './assignment-tableau.ts';

export type { CostMatrix } from './assignment-tableau.ts';

/** What may be known beforehand of the solution. Any start gives an optimal assignment; a good one gives it sooner. */
export interface AssignmentStart {
  /** Column of each row, int32 [rows], of min(rows, columns) pairs; -1 for the other rows. */
  readonly rowToColumn: Int32Array;
  /**
   * Dual value of each column, float64 [columns], with the signs that `Assignment` has. They are what saves time, on square problems:
   * LOOM's noises keep theirs from batch to batch. Pairs that are tight under them are kept, the others made anew.
   */
  readonly columnDuals?: Float64Array;
}

export interface AssignmentOptions {
  /** Whether the sum is to be greatest; false by default. */
  readonly maximize?: boolean;
  readonly start?: AssignmentStart | null;
}

/**
 * An optimal assignment and its proof. For a minimum, cost - rowDual - columnDual >= 0 for every pair, to rounding, and = 0 for chosen
 * ones; for a maximum, <= 0. Where there are more columns than rows, free columns have dual 0 and no column dual is above 0 (for a maximum,
 * below 0); where there are more rows, the same is true of rows. The sum of all duals is the total.
 */
export interface Assignment {
  /** Column of each row, int32 [rows]; -1 for a row that stays free because there are more rows than columns. */
  readonly rowToColumn: Int32Array;
  /** Sum of the chosen costs, in float64. */
  readonly total: number;
  /** float64 [rows] */
  readonly rowDuals: Float64Array;
  /** float64 [columns] */
  readonly columnDuals: Float64Array;
  /** Shortest paths that had to be grown: rows that the reductions before them left free. */
  readonly augmentations: number;
}

const where = 'numerics/assignment solveAssignment';

function checkShapes({ values, rows, columns }: CostMatrix, start: AssignmentStart | null): void {
  const isCount = (value: number) => Number.isInteger(value) && value >= 0;
  if (!isCount(rows) || !isCount(columns) || values.length !== rows * columns) {
    throw new ShapeError({
      expected: `\`values\` to be a matrix [rows, columns] = [${rows}, ${columns}]`,
      got: `${values.length} numbers`,
      where,
    });
  }
  if (start === null) return;
  const { rowToColumn, columnDuals } = start;
  if (rowToColumn.length !== rows || (columnDuals !== undefined && columnDuals.length !== columns)) {
    throw new ShapeError({
      expected: `\`start\` to have rowToColumn [rows] = [${rows}] and columnDuals [columns] = [${columns}]`,
      got: `[${rowToColumn.length}] and [${columnDuals?.length ?? 'none'}]`,
      where,
    });
  }
}

/** The start as the tableau has its lines. */
function tableauStart(tableau: Tableau, start: AssignmentStart, maximize: boolean): TableauStart {
  const { rows, columns, transposed } = tableau;
  const rowOf = new Int32Array(columns).fill(-1);
  const columnOf = new Int32Array(rows).fill(-1);
  let pairs = 0;
  for (let row = 0; row < start.rowToColumn.length; row++) {
    const column = start.rowToColumn[row]!;
    if (column === -1) continue;
    const i = transposed ? column : row;
    const j = transposed ? row : column;
    if (!(i >= 0 && i < rows && j >= 0 && j < columns) || columnOf[i] !== -1 || rowOf[j] !== -1) break;
    columnOf[i] = j;
    rowOf[j] = i;
    pairs++;
  }
  if (pairs < rows) {
    throw new ConfigError({
      expected: `\`start.rowToColumn\` to pair ${rows} rows with as many columns, each at most once`,
      got: 'another pairing',
      where,
    });
  }
  const duals = start.columnDuals === undefined ? null : start.columnDuals.map((value) => (maximize ? -value : value));
  return { columnOf, duals };
}

/** Takes the start's pairing in place of the solution if it costs no more, so that ties do not change a pairing. */
function preferStart({ cost, memory: { columnOf, pairCost } }: Tableau, start: Int32Array): void {
  // Sum of the differences and what rounding took from it, [neumaier:74].
  let sum = 0;
  let lost = 0;
  const add = (value: number) => {
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  };
  for (let i = 0; i < start.length; i++) {
    const j = start[i]!;
    if (j === columnOf[i]) continue;
    const before = cost(i, j);
    if (before === Number.POSITIVE_INFINITY) return;
    add(before);
    add(-pairCost[i]!);
  }
  if (sum + lost > 0) return;
  for (const [i, j] of start.entries()) {
    columnOf[i] = j;
    pairCost[i] = cost(i, j);
  }
}

function result(tableau: Tableau, maximize: boolean, augmentations: number): Assignment {
  const { rows, columns, transposed, memory } = tableau;
  const { columnOf, pairCost } = memory;
  // The memory is the next problem's too.
  const duals = memory.duals.slice();
  const sign = maximize ? -1 : 1;
  const lineDuals = new Float64Array(rows);
  let total = 0;
  for (let i = 0; i < rows; i++) {
    total += sign * pairCost[i]!;
    lineDuals[i] = sign * (pairCost[i]! - duals[columnOf[i]!]!);
  }
  if (maximize) for (let j = 0; j < columns; j++) duals[j] = 0 - duals[j]!;
  if (!transposed)
    return { rowToColumn: columnOf.slice(), total, rowDuals: lineDuals, columnDuals: duals, augmentations };
  const rowToColumn = new Int32Array(columns).fill(-1);
  for (let i = 0; i < rows; i++) rowToColumn[columnOf[i]!] = i;
  return { rowToColumn, total, rowDuals: duals, columnDuals: lineDuals, augmentations };
}

/** The paper makes two rounds: a row that was left over in the first often finds its column in the second. */
function reduceTwice(tableau: Tableau, count: number): number {
  const left = reduceRows(tableau, { count });
  return reduceRows(tableau, { count: left });
}

/**
 * Share of the rows above which paths for those that are left would take longer than better duals. Measured: row reduction leaves one row
 * in 50 to 100 in thousands of dimensions, two in three in two dimensions.
 */
const manyLeft = 1 / 8;

/**
 * The assignment of rows to columns with the least (or greatest) sum of costs. As many pairs are made as the smaller side has.
 *
 * Column reduction, augmenting row reduction and shortest augmenting paths of [jonker:87], with scaled auctions, [bertsekas:88], where the
 * reductions leave many rows; the steps look at each row's nearest columns
 * only, and at all of its columns where these do not prove themselves sufficient (see `assignment-candidates.ts`). Rectangular problems
 * as in [crouse:16]: the paths start from the smaller side. Costs are not changed; matrices up to 4 MiB are copied to where the WebAssembly
 * kernels see them, larger ones row by row (see `assignment-memory.ts`). Deterministic. Sums and comparisons are float64 without tolerances: integers, and float32 costs whose exponents differ by
 * less than about 20, are added exactly; otherwise the total is least up to rounding.
 *
 * A start that is optimal already is returned as it is, ties or not.
 *
 * Fails when: finite costs are so large (above about 1e300) that sums of them overflow.
 * @throws ShapeError if sizes do not fit; ConfigError if the start is no pairing.
 * @throws NumericalError if a cost is NaN or an infinity of the wrong sign (invalid numeric entries), or if every assignment
 *   uses a forbidden pair (infeasible).
 */
export function solveAssignment(
  costs: CostMatrix,
  { maximize = false, start = null }: AssignmentOptions = {},
): Assignment {
  checkShapes(costs, start);
  const tableau = createTableau(costs, { maximize });
  const { rows } = tableau;
  const from = start === null ? null : tableauStart(tableau, start, maximize);
  if (rows === 0) return result(tableau, maximize, 0);
  let count = reduceTwice(tableau, prepare(tableau, from));
  if (count > rows * manyLeft && rows === tableau.columns) {
    count = reduceTwice(tableau, scaleDuals(tableau));
  }
  if (count > 0) {
    const search = createPathSearch(tableau);
    const { free } = tableau.memory;
    for (let k = 0; k < count; k++) if (!augment(search, free[k]!)) throw infeasible();
  }
  if (from !== null) preferStart(tableau, from.columnOf);
  return result(tableau, maximize, count);
}
