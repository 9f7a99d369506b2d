/** What the phases of the assignment solver share: the costs row by row, the duals, the pairing, and each row's cheapest columns. */
import { type AssignmentMemory, openAssignmentMemory } from './assignment-memory.ts';

/** Costs of pairing rows with columns. */
export interface CostMatrix {
  /** float32 or float64 [rows, columns]; Infinity (for a maximum, -Infinity) forbids a pair. */
  readonly values: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/**
 * A minimisation with at most as many rows as columns, and what is known of its solution. Its rows are the lines of the matrix along
 * which it is read: its rows, or its columns where it has more rows than columns.
 *
 * For each row, the candidates are the columns whose reduced cost (cost less column dual) was below `bound` when they were selected;
 * every other column had at least that much. Duals only decrease afterwards, so reduced costs only increase and the bound stays true, to
 * the bit, since rounding is monotone. A search that stays below the bounds of its rows therefore needs no other column, and is exact.
 */
export interface Tableau {
  readonly rows: number;
  readonly columns: number;
  /** Whether the rows of the tableau are the columns of the matrix. */
  readonly transposed: boolean;
  /** Makes row i readable, to be minimised. @returns where it starts in `memory.line`. */
  load(i: number): number;
  /** Cost to be minimised of row i in column j. */
  cost(i: number, j: number): number;
  /** Column of each row and row of each column, -1 where free, the cost of each row's pair, the duals, and the candidates. */
  readonly memory: AssignmentMemory;
  /** By how much a bound should exceed the row's least reduced cost; follows from how many candidates that gave to earlier rows. */
  spread: number;
}

/** The tableau of a matrix, without a pairing and with zero duals. */
export function createTableau(costs: CostMatrix, { maximize }: { readonly maximize: boolean }): Tableau {
  const transposed = costs.rows > costs.columns;
  const rows = transposed ? costs.columns : costs.rows;
  const columns = transposed ? costs.rows : costs.columns;
  const float32 = costs.values instanceof Float32Array;
  const lines = costs.values.byteLength <= copiedBytes ? rows : 1;
  const memory = openAssignmentMemory({ rows, columns, lines, float32 });
  memory.duals.fill(0);
  memory.columnOf.fill(-1);
  memory.rowOf.fill(-1);
  memory.count.fill(0);
  memory.bound.fill(Number.NEGATIVE_INFINITY);
  const reader = lines === rows ? copiedLines : singleLine;
  return { rows, columns, transposed, memory, spread: 0, ...reader(costs, { transposed, maximize, memory }) };
}

/** Size of a matrix that is copied as a whole, so that its rows are at hand; larger ones are read row by row. */
const copiedBytes = 2 ** 22;

interface Reading {
  readonly transposed: boolean;
  readonly maximize: boolean;
  readonly memory: AssignmentMemory;
}

/** Reads a matrix that is copied as a whole. */
function copiedLines(
  { values, rows, columns }: CostMatrix,
  { transposed, maximize, memory: { line, lineLength } }: Reading,
): Pick<Tableau, 'load' | 'cost'> {
  if (transposed) {
    for (let i = 0, at = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) line[j * lineLength + i] = values[at++]!;
    }
  } else if (columns === lineLength) {
    line.set(values);
  } else {
    for (let i = 0; i < rows; i++) line.set(values.subarray(i * columns, (i + 1) * columns), i * lineLength);
  }
  const length = transposed ? rows : columns;
  if (maximize) {
    for (let start = 0; start < line.length; start += lineLength) negate(line.subarray(start, start + length));
  }
  return { load: (i) => i * lineLength, cost: (i, j) => line[i * lineLength + j]! };
}

/** Reads a matrix row by row. */
function singleLine(
  { values, rows, columns }: CostMatrix,
  { transposed, maximize, memory: { line } }: Reading,
): Pick<Tableau, 'load' | 'cost'> {
  const sign = maximize ? -1 : 1;
  if (transposed) {
    const cost = (i: number, j: number) => sign * values[j * columns + i]!;
    const load = (i: number) => {
      for (let j = 0, at = i; j < rows; j++, at += columns) line[j] = sign * values[at]!;
      return 0;
    };
    return { load, cost };
  }
  const cost = (i: number, j: number) => sign * values[i * columns + j]!;
  const load = (i: number) => {
    line.set(values.subarray(i * columns, (i + 1) * columns));
    if (maximize) negate(line.subarray(0, columns));
    return 0;
  };
  return { load, cost };
}

function negate(line: Float32Array | Float64Array): void {
  for (let j = 0; j < line.length; j++) line[j] = -line[j]!;
}

/** A pair that takes the place of what row i had; the former row of column j is the caller's to deal with. */
export interface Pair {
  readonly column: number;
  readonly cost: number;
}

/** Whether every row has its pair is seen from `columnOf`; this sets one. */
export function setPair({ memory: { columnOf, rowOf, pairCost } }: Tableau, i: number, { column, cost }: Pair): void {
  columnOf[i] = column;
  rowOf[column] = i;
  pairCost[i] = cost;
}
