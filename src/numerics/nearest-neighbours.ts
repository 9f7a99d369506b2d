/** Exact nearest neighbours, and which balls points lie in: float32 products find the candidates, float64 decides. */
import { ConfigError } from '../errors.ts';
import { type DistanceTile, distanceTiles, type RowSet, squaredDistance, type TileOptions } from './distance-tiles.ts';

export interface Neighbours {
  /** Neighbours of each query. */
  readonly k: number;
  /** Rows of the points, nearest first, of equally near ones the first: uint32 [queries, k]. */
  readonly indices: Uint32Array;
  /** Squared distances in float64, [queries, k]. */
  readonly squaredDistances: Float64Array;
}

/** The neighbours of queries `first`, ..., `first + count - 1`. */
export function neighboursOf({ k, indices, squaredDistances }: Neighbours, first: number, count: number): Neighbours {
  const [from, to] = [first * k, (first + count) * k];
  return { k, indices: indices.slice(from, to), squaredDistances: squaredDistances.slice(from, to) };
}

export interface NeighbourOptions extends TileOptions {
  /** Neighbours wanted, at least 1. */
  readonly k: number;
  /** Whether queries are the first of the points, so that row i is no neighbour of query i. Others at distance 0 are. Default false. */
  readonly excludeSelf?: boolean;
}

/** Points that may be among the k nearest of one query. */
interface Candidates {
  readonly rows: number[];
  /** Lower bounds of their squared distances. */
  readonly lower: number[];
  /** The k smallest upper bounds so far, ascending; those that are missing are infinite. */
  readonly upper: Float64Array;
}

/** Keeps the smallest in an ascending list. */
function insert(smallest: Float64Array, value: number): void {
  let at = smallest.length - 1;
  if (value >= smallest[at]!) return;
  for (; at > 0 && smallest[at - 1]! > value; at--) smallest[at] = smallest[at - 1]!;
  smallest[at] = value;
}

function scanTile(tile: DistanceTile, candidates: readonly Candidates[], excludeSelf: boolean): void {
  const { firstRow, firstColumn, rows, columns, squares, errors } = tile;
  for (let i = 0; i < rows; i++) {
    const { rows: found, lower, upper } = candidates[i]!;
    const last = upper.length - 1;
    const self = excludeSelf ? firstRow + i - firstColumn : -1;
    for (let j = 0; j < columns; j++) {
      const at = i * columns + j;
      const least = squares[at]! - errors[at]!;
      if (least > upper[last]! || j === self) continue;
      found.push(firstColumn + j);
      lower.push(least);
      insert(upper, squares[at]! + errors[at]!);
    }
  }
}

/** Decides among the candidates of one query in float64, and writes row `query` of the result. */
function decide(query: number, candidates: Candidates, s: { queries: RowSet; points: RowSet; out: Neighbours }): void {
  const { rows, lower, upper } = candidates;
  const { k, indices, squaredDistances } = s.out;
  const bound = upper[k - 1]!;
  const left = rows
    .filter((_, at) => lower[at]! <= bound)
    .map((row) => ({ row, square: squaredDistance(s.queries, s.points, { i: query, j: row }) }))
    .sort((a, b) => a.square - b.square || a.row - b.row);
  for (let n = 0; n < k; n++) {
    indices[query * k + n] = left[n]!.row;
    squaredDistances[query * k + n] = left[n]!.square;
  }
}

/**
 * The k nearest points of each query, exactly as float64 differences order them, whatever the products' rounding and the tiles.
 *
 * A point whose squared distance, by a product and its error bound, is certainly above k others cannot be among them; what is left,
 * seldom more than k and a few, is compared in float64. Memory: one tile, the candidates of its rows, and a float32 copy of both sets.
 * @throws ConfigError if there are not k points; ShapeError if the rows of the two differ in length.
 */
export async function nearestNeighbours(
  queries: RowSet,
  points: RowSet,
  options: NeighbourOptions,
): Promise<Neighbours> {
  const { k, excludeSelf = false } = options;
  const available = points.count - (excludeSelf ? 1 : 0);
  if (!Number.isInteger(k) || k < 1 || k > available) {
    throw new ConfigError({
      expected: `\`k\` to be an integer in [1, ${available}], as there are ${points.count} points`,
      got: String(k),
      where: 'numerics/nearest-neighbours',
      remedy: 'a smaller k or more points',
    });
  }
  const out = {
    k,
    indices: new Uint32Array(queries.count * k),
    squaredDistances: new Float64Array(queries.count * k),
  };
  let candidates: Candidates[] = [];
  for await (const tile of distanceTiles(queries, points, options)) {
    if (tile.firstColumn === 0) {
      const empty = () => ({ rows: [], lower: [], upper: new Float64Array(k).fill(Number.POSITIVE_INFINITY) });
      candidates = Array.from({ length: tile.rows }, empty);
    }
    scanTile(tile, candidates, excludeSelf);
    if (tile.firstColumn + tile.columns < points.count) continue;
    for (const [i, mine] of candidates.entries()) decide(tile.firstRow + i, mine, { queries, points, out });
  }
  return out;
}

export interface BallOptions extends TileOptions {
  /** Squared radius of each centre's ball, float64 [centres]. */
  readonly squaredRadii: Float64Array;
  /** Whether a point at the distance of the radius lies in the ball. */
  readonly closed: boolean;
}

/**
 * In how many balls each query lies, exactly as float64 differences say: uint32 [queries].
 * @throws ShapeError if the rows of the two sets differ in length.
 */
export async function ballCounts(queries: RowSet, centres: RowSet, options: BallOptions): Promise<Uint32Array> {
  const { squaredRadii, closed } = options;
  const counts = new Uint32Array(queries.count);
  for await (const { firstRow, firstColumn, rows, columns, squares, errors } of distanceTiles(
    queries,
    centres,
    options,
  )) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const at = i * columns + j;
        const radius = squaredRadii[firstColumn + j]!;
        let square = squares[at]!;
        // Only where rounding could turn the answer is the distance computed anew.
        if (Math.abs(square - radius) <= errors[at]!) {
          square = squaredDistance(queries, centres, { i: firstRow + i, j: firstColumn + j });
        }
        if (square < radius || (closed && square === radius)) counts[firstRow + i] = counts[firstRow + i]! + 1;
      }
    }
  }
  return counts;
}
