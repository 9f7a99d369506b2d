import { NumericalError, ShapeError } from '../errors.ts';
import type { RandomStream } from './stream.ts';

const where = 'numerics/dependent-rounding';

/** Entries below this are rounding errors of a matrix whose rows sum to 1, and become 0. */
const negligible = 1e-14;

/**
 * Draws a permutation whose entries have the probabilities of a doubly stochastic matrix: P(row i gets column j) = X_ij exactly, for
 * every i and j, and every column is used once.
 *
 * The positive entries are the edges of a graph between rows and columns. As long as it has a cycle, the entries along it are
 * changed by +s, -s, +s, ...: by s = the least that is subtracted from, or, the other way round, by the least of the others, whichever a
 * coin with odds in reverse proportion to the two says. Sums of rows and columns stay, every entry stays the same in expectation, and
 * one entry becomes 0; without cycles, what is left is a permutation. Cycles through two rows come first, which need no search: two
 * rows that have gone through their common columns share one at most, so that a row's entries halve with each partner, and a full
 * matrix takes about n^2 log n steps. Walks find the longer cycles that are left.
 *
 * Source: [gandhi:06], section 2 (bipartite dependent rounding). How often two pairs come together, beyond the frequencies of each,
 * depends on the order in which cycles are found, here that of rows and columns.
 * @param matrix  float64 [n, n], entries >= 0, rows summing to 1; overwritten. Columns that do not sum to 1 are mended first
 * (`makeDoublyStochastic`).
 * @returns column of each row, int32 [n].
 * @throws ShapeError if the matrix is not square; NumericalError if it is far from doubly stochastic.
 */
export function roundToPermutation(matrix: Float64Array, stream: RandomStream): Int32Array {
  const n = Math.round(Math.sqrt(matrix.length));
  if (n * n !== matrix.length) {
    throw new ShapeError({ expected: '`matrix` to be square', got: `${matrix.length} entries`, where });
  }
  makeDoublyStochastic(matrix, n);
  for (let k = 0; k < matrix.length; k++) matrix[k] = cleaned(matrix[k]!);
  breakPairCycles(matrix, n, stream);
  const graph = createGraph(matrix, n);
  for (let row = 0; row < n; row++) {
    while (graph.partner[row]! < 0) step(graph, row, stream);
  }
  return graph.partner;
}

/**
 * Changes a matrix with non-negative entries into a doubly stochastic one: rows and columns with sums above 1 are scaled down to 1, and
 * what all then lack is added as an outer product. The L1 change is at most twice the L1 error of the sums.
 *
 * Source: [altschuler:17], algorithm 2.
 */
export function makeDoublyStochastic(matrix: Float64Array, n: number): void {
  scaleDown(matrix, n, rowSums(matrix, n));
  const excess = columnSums(matrix, n).map((sum) => Math.max(1, sum));
  for (let k = 0; k < matrix.length; k++) matrix[k]! /= excess[k % n]!;
  const lackingRows = rowSums(matrix, n).map((sum) => Math.max(0, 1 - sum));
  const lackingColumns = columnSums(matrix, n).map((sum) => Math.max(0, 1 - sum));
  const lacking = lackingRows.reduce((sum, lack) => sum + lack, 0);
  if (lacking === 0) return;
  for (let i = 0; i < n; i++) {
    if (lackingRows[i] === 0) continue;
    for (let j = 0; j < n; j++) matrix[i * n + j]! += (lackingRows[i]! * lackingColumns[j]!) / lacking;
  }
}

function scaleDown(matrix: Float64Array, n: number, sums: Float64Array): void {
  for (let i = 0; i < n; i++) {
    if (!(sums[i]! > 1)) continue;
    for (let j = 0; j < n; j++) matrix[i * n + j]! /= sums[i]!;
  }
}

function rowSums(matrix: Float64Array, n: number): Float64Array {
  const sums = new Float64Array(n);
  for (let k = 0; k < matrix.length; k++) sums[Math.floor(k / n)]! += matrix[k]!;
  return sums;
}

function columnSums(matrix: Float64Array, n: number): Float64Array {
  const sums = new Float64Array(n);
  for (let k = 0; k < matrix.length; k++) sums[k % n]! += matrix[k]!;
  return sums;
}

/** An entry without rounding errors. */
function cleaned(value: number): number {
  return value < negligible ? 0 : value;
}

/**
 * What the edges of one kind of a cycle gain and those of the other lose: minus the least of the first, or the least of the
 * second, such that the mean is 0.
 */
function drawChange(first: number, second: number, stream: RandomStream): number {
  return stream.uniform() * (first + second) < second ? -first : second;
}

/** Takes apart the cycles through two rows, for each row with those below it until one entry of it is left. */
function breakPairCycles(matrix: Float64Array, n: number, stream: RandomStream): void {
  const columns = new Int32Array(n);
  for (let row = 0; row < n; row++) {
    let count = n;
    for (let j = 0; j < n; j++) columns[j] = j;
    for (let lower = row + 1; lower < n; lower++) {
      // Entries that are 0 remain 0: the columns of the row become fewer and fewer.
      let kept = 0;
      for (let k = 0; k < count; k++) if (matrix[row * n + columns[k]!]! > 0) columns[kept++] = columns[k]!;
      count = kept;
      if (count < 2) break;
      exchange(matrix, { upper: row * n, lower: lower * n, columns, count }, stream);
    }
  }
}

/** The rows of a pair by their offsets, and the columns that are looked at. */
interface RowPair {
  readonly upper: number;
  readonly lower: number;
  readonly columns: Int32Array;
  readonly count: number;
}

/** Takes apart the cycles through two rows and two of the columns at a time, until at most one column is shared. */
function exchange(matrix: Float64Array, { upper, lower, columns, count }: RowPair, stream: RandomStream): void {
  let held = -1;
  for (let k = 0; k < count; k++) {
    const j = columns[k]!;
    // a, d gain what b, c lose, or the reverse; a and b in the column that is held, c and d in this one.
    const [c, d] = [matrix[upper + j]!, matrix[lower + j]!];
    if (c === 0 || d === 0) continue;
    if (held < 0) {
      held = j;
      continue;
    }
    const [a, b] = [matrix[upper + held]!, matrix[lower + held]!];
    const change = drawChange(Math.min(a, d), Math.min(b, c), stream);
    matrix[upper + held] = cleaned(a + change);
    matrix[lower + held] = cleaned(b - change);
    matrix[upper + j] = cleaned(c - change);
    matrix[lower + j] = cleaned(d + change);
    if (matrix[upper + held] === 0 || matrix[lower + held] === 0) {
      held = matrix[upper + j] === 0 || matrix[lower + j] === 0 ? -1 : j;
    }
  }
}

/** The positive entries as edges between vertices: rows are vertices 0, ..., n - 1 and columns n, ..., 2n - 1. */
interface Graph {
  readonly matrix: Float64Array;
  readonly n: number;
  /** Column of each row that is decided, -1 of the others. */
  readonly partner: Int32Array;
  /**
   * The two least neighbours of each vertex, or where the search for them goes on: entries that are 0 remain 0, so that these
   * only grow, and all searches together look at each entry twice.
   */
  readonly first: Int32Array;
  readonly second: Int32Array;
  /** Place of each vertex on the walk, -1 off it. */
  readonly place: Int32Array;
  readonly walk: Int32Array;
  /** Entry between each vertex of the walk and the next one. */
  readonly edges: Int32Array;
}

function createGraph(matrix: Float64Array, n: number): Graph {
  return {
    matrix,
    n,
    partner: new Int32Array(n).fill(-1),
    first: new Int32Array(2 * n),
    second: new Int32Array(2 * n).fill(1),
    place: new Int32Array(2 * n).fill(-1),
    walk: new Int32Array(2 * n),
    edges: new Int32Array(2 * n),
  };
}

/** Place of the entry between two vertices of different sides. */
function entry(n: number, a: number, b: number): number {
  return a < n ? a * n + (b - n) : b * n + (a - n);
}

/** The least neighbour of a vertex that is at least `from`, counted within its side; n if there is none. */
function neighbourFrom({ matrix, n }: Graph, vertex: number, from: number): number {
  let k = from;
  if (vertex < n) while (k < n && matrix[vertex * n + k] === 0) k++;
  else while (k < n && matrix[k * n + (vertex - n)] === 0) k++;
  return k;
}

/** A neighbour of a vertex other than `except`, or -1 if there is none. */
function otherNeighbour(graph: Graph, vertex: number, except: number): number {
  const { n, first, second } = graph;
  const least = neighbourFrom(graph, vertex, first[vertex]!);
  first[vertex] = least;
  const shift = vertex < n ? n : 0;
  if (least < n && least + shift !== except) return least + shift;
  const next = neighbourFrom(graph, vertex, Math.max(second[vertex]!, least + 1));
  second[vertex] = next;
  return next < n ? next + shift : -1;
}

/** Walks from a row until a cycle closes, and takes it apart, or until an end is reached, and decides the row there. */
function step(graph: Graph, start: number, stream: RandomStream): void {
  const { n, place, walk, edges } = graph;
  let length = 0;
  let vertex = start;
  let from = -1;
  let next = 0;
  while (place[vertex]! < 0) {
    place[vertex] = length;
    walk[length] = vertex;
    next = otherNeighbour(graph, vertex, from);
    if (next < 0) break;
    edges[length++] = entry(n, vertex, next);
    from = vertex;
    vertex = next;
  }
  const cycleStart = place[vertex]!;
  for (let k = 0; k < length; k++) place[walk[k]!] = -1;
  place[vertex] = -1;
  if (next >= 0) {
    breakCycle(graph, { start: cycleStart, end: length }, stream);
    return;
  }
  // A vertex with one edge has all its mass there, so that the other edges of its partner are rounding errors.
  const partner = from < 0 ? otherNeighbour(graph, vertex, -1) : from;
  if (partner < 0) {
    throw new NumericalError({
      expected: 'a matrix with a permutation in it',
      got: `row ${vertex} without entries`,
      where,
    });
  }
  if (vertex < n) decide(graph, vertex, partner - n);
  else decide(graph, partner, vertex - n);
}

function decide({ matrix, n, partner }: Graph, row: number, column: number): void {
  for (let k = 0; k < n; k++) {
    matrix[row * n + k] = 0;
    matrix[k * n + column] = 0;
  }
  partner[row] = column;
}

/** Changes the entries of a cycle, edges `start` to `end` of the walk, such that one becomes 0. */
function breakCycle(
  { matrix, edges }: Graph,
  { start, end }: { readonly start: number; readonly end: number },
  stream: RandomStream,
): void {
  let [even, odd] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let k = start; k < end; k += 2) {
    even = Math.min(even, matrix[edges[k]!]!);
    odd = Math.min(odd, matrix[edges[k + 1]!]!);
  }
  const change = drawChange(even, odd, stream);
  for (let k = start; k < end; k += 2) {
    matrix[edges[k]!] = cleaned(matrix[edges[k]!]! + change);
    matrix[edges[k + 1]!] = cleaned(matrix[edges[k + 1]!]! - change);
  }
}
