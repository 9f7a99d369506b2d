/** Shortest augmenting paths: the phase of the assignment solver that pairs what rows are left. */
import { selectCandidates } from './assignment-candidates.ts';
import { setPair, type Tableau } from './assignment-tableau.ts';

/** Memory of the searches, made once for all of them. Between two searches every key is Infinity and every place 0. */
export interface PathSearch {
  readonly tableau: Tableau;
  /** Binary heap, from place 1, of items: columns 0 .. columns - 1, and columns + i for those columns of row i that are no candidates. */
  readonly heap: Int32Array;
  size: number;
  /** Place of an item in the heap; 0 where it has not been there, `settled` once it has been taken off. */
  readonly place: Int32Array;
  /** Distance of a column from the root, float64; for the columns of a row that are no candidates, a lower bound. */
  readonly key: Float64Array;
  /** Row from which a column was reached. */
  readonly from: Int32Array;
  /** Distance of a row that was scanned, less its dual, float64 [rows]. */
  readonly base: Float64Array;
  /** Items that have been in the heap. */
  readonly touched: Int32Array;
  touchedCount: number;
  /** The row that is being scanned. */
  scanned: number;
  /** The nearest free column that has been reached, -1 for none, and its distance. */
  nearest: number;
  distance: number;
}

const settled = -1;

/** Memory for searches in a tableau. */
export function createPathSearch(tableau: Tableau): PathSearch {
  const items = tableau.rows + tableau.columns;
  return {
    tableau,
    heap: new Int32Array(items + 1),
    size: 0,
    place: new Int32Array(items),
    key: new Float64Array(items).fill(Number.POSITIVE_INFINITY),
    from: new Int32Array(tableau.columns),
    base: new Float64Array(tableau.rows),
    touched: new Int32Array(items),
    touchedCount: 0,
    scanned: -1,
    nearest: -1,
    distance: Number.POSITIVE_INFINITY,
  };
}

/** Gives an item a smaller key; it enters the heap if it is new. */
function lowerKey(search: PathSearch, item: number, value: number): void {
  const { heap, place, key } = search;
  let at = place[item]!;
  if (at === 0) {
    at = ++search.size;
    search.touched[search.touchedCount++] = item;
  }
  key[item] = value;
  for (let parent = at >> 1; parent > 0; parent = at >> 1) {
    const above = heap[parent]!;
    if (key[above]! <= value) break;
    heap[at] = above;
    place[above] = at;
    at = parent;
  }
  heap[at] = item;
  place[item] = at;
}

/** Takes the item with the least key off the heap, which is not empty. */
function settleNearest(search: PathSearch): number {
  const { heap, place, key } = search;
  const first = heap[1]!;
  place[first] = settled;
  const size = --search.size;
  if (size === 0) return first;
  const item = heap[size + 1]!;
  const value = key[item]!;
  let at = 1;
  for (let child = 2; child <= size; child = 2 * at) {
    if (child < size && key[heap[child + 1]!]! < key[heap[child]!]!) child++;
    const below = heap[child]!;
    if (key[below]! >= value) break;
    heap[at] = below;
    place[below] = at;
    at = child;
  }
  heap[at] = item;
  place[item] = at;
  return first;
}

/** Notes a shorter way to a column, through the row that is being scanned. */
function reach(search: PathSearch, j: number, distance: number): void {
  if (search.tableau.memory.rowOf[j]! < 0) {
    search.nearest = j;
    search.distance = distance;
  } else {
    // By rounding alone can a settled column seem nearer.
    if (search.place[j] === settled) return;
    lowerKey(search, j, distance);
  }
  search.from[j] = search.scanned;
}

/** Reaches the candidates of row i, and enters its other columns as one item, by their bound. */
function scan(search: PathSearch, i: number, base: number): void {
  const { key, place } = search;
  const { columns, memory } = search.tableau;
  const { duals, stride, count, column, cost, bound } = memory;
  search.scanned = i;
  const start = i * stride;
  const end = start + count[i]!;
  for (let k = start; k < end; k++) {
    const j = column[k]!;
    const distance = base + (cost[k]! - duals[j]!);
    if (distance < search.distance && distance < key[j]!) reach(search, j, distance);
  }
  const rest = base + bound[i]!;
  if (!(rest < search.distance) || place[columns + i] !== 0) return;
  search.base[i] = base;
  lowerKey(search, columns + i, rest);
}

/** Reaches the columns of row i that were no candidates: those that matter become the new candidates, if there is room for them. */
function scanRest(search: PathSearch, i: number): void {
  const { tableau, key } = search;
  const { columns, memory, spread } = tableau;
  const { bound, line, duals } = memory;
  const base = search.base[i]!;
  const reachable = search.distance - base;
  selectCandidates(tableau, i, reachable < Number.POSITIVE_INFINITY ? reachable : bound[i]! + 4 * spread);
  scan(search, i, base);
  if (!(base + bound[i]! < search.distance)) return;
  const offset = tableau.load(i);
  for (let j = 0; j < columns; j++) {
    const distance = base + (line[offset + j]! - duals[j]!);
    if (distance < search.distance && distance < key[j]!) reach(search, j, distance);
  }
}

/** Lowers the duals of the columns that were nearer than the path's end, and clears the memory of the search. */
function finishSearch(search: PathSearch): void {
  const { tableau, touched, key, place, distance } = search;
  const { columns, memory } = tableau;
  const { duals } = memory;
  for (let k = 0; k < search.touchedCount; k++) {
    const item = touched[k]!;
    // Rounding can settle a column by a last digit beyond the end; duals must not increase.
    if (item < columns && place[item] === settled && key[item]! < distance) {
      duals[item] = duals[item]! + (key[item]! - distance);
    }
    key[item] = Number.POSITIVE_INFINITY;
    place[item] = 0;
  }
  search.touchedCount = 0;
  search.size = 0;
}

/**
 * Pairs the free row `root` along a shortest alternating path to a free column: Dijkstra's algorithm on reduced costs,
 * [jonker:87], section 4. The search ends once no item in the heap is nearer than the nearest free column that has been reached.
 *
 * @returns whether there is a path.
 */
export function augment(search: PathSearch, root: number): boolean {
  const { tableau, heap, key, from } = search;
  const { columns, memory } = tableau;
  const { duals, rowOf, columnOf, pairCost } = memory;
  search.nearest = -1;
  search.distance = Number.POSITIVE_INFINITY;
  scan(search, root, 0);
  while (search.size > 0 && key[heap[1]!]! < search.distance) {
    const item = settleNearest(search);
    if (item >= columns) {
      scanRest(search, item - columns);
    } else {
      const i = rowOf[item]!;
      scan(search, i, key[item]! - (pairCost[i]! - duals[item]!));
    }
  }
  if (search.nearest < 0) return false;
  finishSearch(search);
  // The pairs along the path move by one.
  for (let j = search.nearest; ; ) {
    const i = from[j]!;
    const next = columnOf[i]!;
    setPair(tableau, i, { column: j, cost: tableau.cost(i, j) });
    if (i === root) return true;
    j = next;
  }
}
