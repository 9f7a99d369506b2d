/** What the phases of the assignment solver share: the costs row by row, the duals, the pairing, and each row's cheapest columns. */
import { type Candidates, createCandidates } from './assignment-candidates.ts';

/** Costs of pairing rows with columns. */
export interface CostMatrix {
  /** float32 or float64 [rows, columns]; Infinity (for a maximum, -Infinity) forbids a pair. */
  readonly values: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/**
 * A minimisation with at most as many rows as columns, and what is known of its solution. `source` rows are the lines of the
 * matrix along which it is read: its rows, or its columns where it has more rows than columns.
 */
export interface Tableau {
  readonly rows: number;
  readonly columns: number;
  /** Whether the rows of the tableau are the columns of the matrix. */
  readonly transposed: boolean;
  /** Makes row i readable, to be minimised. @returns where it starts in `line`. */
  load(i: number): number;
  /** float64, the memory that `load` points into. */
  readonly line: Float64Array;
  /** Cost to be minimised of row i in column j. */
  cost(i: number, j: number): number;
  /** Dual values of the columns, float64 [columns]. Once candidates have been selected they only decrease. */
  readonly duals: Float64Array;
  /** Column of each row and row of each column, int32, -1 where free. */
  readonly columnOf: Int32Array;
  readonly rowOf: Int32Array;
  /** Cost of each row's pair, float64 [rows]. */
  readonly pairCost: Float64Array;
  readonly candidates: Candidates;
}

/** The tableau of a matrix, without a pairing and with zero duals. */
export function createTableau(costs: CostMatrix, { maximize }: { readonly maximize: boolean }): Tableau {
  const transposed = costs.rows > costs.columns;
  const rows = transposed ? costs.columns : costs.rows;
  const columns = transposed ? costs.rows : costs.columns;
  return {
    rows,
    columns,
    transposed,
    ...lineReader(costs, { transposed, maximize }),
    duals: new Float64Array(columns),
    columnOf: new Int32Array(rows).fill(-1),
    rowOf: new Int32Array(columns).fill(-1),
    pairCost: new Float64Array(rows),
    candidates: createCandidates(rows),
  };
}

/** Entries of a matrix that is copied as a whole: its copy takes microseconds and stays in the cache. */
const copied = 2 ** 18;

/**
 * Access to the lines of a matrix as float64. The loops of the solver see one type of array whatever the matrix holds, so that they
 * are compiled once, for that type.
 */
function lineReader(
  costs: CostMatrix,
  { transposed, maximize }: { readonly transposed: boolean; readonly maximize: boolean },
): Pick<Tableau, 'load' | 'line' | 'cost'> {
  const { values, rows, columns } = costs;
  const inPlace = values instanceof Float64Array && !maximize && !transposed;
  if (inPlace || values.length <= copied) {
    const line = inPlace ? values : copy(costs, { transposed, maximize });
    const length = transposed ? rows : columns;
    return { line, load: (i) => i * length, cost: (i, j) => line[i * length + j]! };
  }
  const sign = maximize ? -1 : 1;
  if (transposed) {
    const line = new Float64Array(rows);
    const cost = (i: number, j: number) => sign * values[j * columns + i]!;
    const load = (i: number) => {
      for (let j = 0, at = i; j < rows; j++, at += columns) line[j] = sign * values[at]!;
      return 0;
    };
    return { line, load, cost };
  }
  const cost = (i: number, j: number) => sign * values[i * columns + j]!;
  const line = new Float64Array(columns);
  const load = (i: number) => {
    line.set(values.subarray(i * columns, (i + 1) * columns));
    if (maximize) negate(line);
    return 0;
  };
  return { line, load, cost };
}

/** All lines of a matrix, one after another. */
function copy(
  { values, rows, columns }: CostMatrix,
  { transposed, maximize }: { readonly transposed: boolean; readonly maximize: boolean },
): Float64Array {
  const lines = new Float64Array(values);
  if (transposed) {
    for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < columns; j++) lines[j * rows + i] = values[at++]!;
  }
  if (maximize) negate(lines);
  return lines;
}

function negate(line: Float64Array): void {
  for (let j = 0; j < line.length; j++) line[j] = -line[j]!;
}

/** A pair that takes the place of what row i had; the former row of column j is the caller's to deal with. */
export interface Pair {
  readonly column: number;
  readonly cost: number;
}

/** Whether every row has its pair is seen from `columnOf`; this sets one. */
export function setPair({ columnOf, rowOf, pairCost }: Tableau, i: number, { column, cost }: Pair): void {
  columnOf[i] = column;
  rowOf[column] = i;
  pairCost[i] = cost;
}
