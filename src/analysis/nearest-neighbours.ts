import { ConfigError, ShapeError } from '../errors.ts';
import type { DotProducts } from '../numerics/dot-products.ts';
import type { KeptRows } from '../numerics/kept-rows.ts';

/** Data and queries whose products are in memory at once. */
const blockRows = 1024;
const chunkQueries = 256;

/** Unit roundoff of float32. */
const roundoff = 2 ** -24;

export interface NeighbourOptions {
  /** Products of blocks, in float32. */
  readonly products: DotProducts;
  /** Neighbours of each query, k. Default 1. */
  readonly count?: number;
  /** Row of the data that is no neighbour of a query, such as the query itself: uint32 [queries]. Default null: all rows are. */
  readonly without?: Uint32Array | null;
  readonly signal?: AbortSignal;
  /** Hears how many of all pairs of blocks are done. */
  readonly onProgress?: (done: number, count: number) => void;
}

/** The k data nearest to each query, nearest first. */
export interface Neighbours {
  /** Euclidean distances: float64 [queries, k]. */
  readonly distances: Float64Array;
  /** Numbers of the data; of equally distant ones the first: int32 [queries, k]. */
  readonly rows: Int32Array;
}

/** Some rows in memory with their squared norms. */
interface Rows {
  readonly first: number;
  readonly count: number;
  readonly values: Float32Array;
  readonly squares: Float64Array;
}

function rowsWithSquares(values: Float32Array, elements: number, first: number): Rows {
  const count = values.length / elements;
  const squares = new Float64Array(count);
  for (let row = 0, at = 0; row < count; row++) {
    for (let k = 0; k < elements; k++, at++) squares[row]! += values[at]! ** 2;
  }
  return { first, count, values, squares };
}

/** Squared distance of two rows by differences, float64. */
function exactSquare(a: Float32Array, b: Float32Array, elements: number): number {
  let sum = 0;
  for (let k = 0; k < elements; k++) sum += (a[k]! - b[k]!) ** 2;
  return sum;
}

/** The least squared distances of a query so far, ascending, and whose they are. */
interface Least {
  readonly squares: Float64Array;
  readonly rows: Int32Array;
}

/** Takes a datum in if it is nearer than the last: rows come in ascending order, so that equals stay behind. */
function insert({ squares, rows }: Least, square: number, row: number): void {
  let place = squares.length;
  while (place > 0 && square < squares[place - 1]!) place--;
  if (place === squares.length) return;
  squares.copyWithin(place + 1, place, squares.length - 1);
  rows.copyWithin(place + 1, place, rows.length - 1);
  squares[place] = square;
  rows[place] = row;
}

/**
 * Takes the rows of a block in that are among a query's nearest. |x - q|^2 = |x|^2 + |q|^2 - 2 x.q with a product in float32 is off by
 * at most 2 elements roundoff |x||q|, whatever the order of its sum ([higham:02], section 3.1, doubled for its second order); what may be
 * near enough by this bound is computed anew by differences in float64, so that the answer is exact.
 */
function takeIn(
  least: Least,
  {
    query,
    square,
    without,
  }: { readonly query: Float32Array; readonly square: number; readonly without: number | null },
  { block, products }: { readonly block: Rows; readonly products: Float32Array },
): void {
  const elements = query.length;
  const relative = 4 * elements * roundoff;
  const last = least.squares.length - 1;
  for (let i = 0; i < block.count; i++) {
    const [own, row] = [block.squares[i]!, block.first + i];
    const slack = relative * Math.sqrt(own * square);
    if (own + square - 2 * products[i]! - slack > least.squares[last]! || row === without) continue;
    const datum = block.values.subarray(i * elements, (i + 1) * elements);
    insert(least, exactSquare(datum, query, elements), row);
  }
}

function checkRequest({ count, elements }: KeptRows, queries: Float32Array, options: NeighbourOptions): void {
  const { count: wanted = 1, without = null } = options;
  const where = 'analysis/nearest-neighbours';
  if (queries.length % elements !== 0) {
    throw new ShapeError({ expected: `queries of ${elements} elements`, got: `${queries.length} numbers`, where });
  }
  if (without !== null && without.length !== queries.length / elements) {
    const expected = `\`without\` to be [queries] = [${queries.length / elements}]`;
    throw new ShapeError({ expected, got: `[${without.length}]`, where });
  }
  const others = without === null ? count : count - 1;
  if (Number.isInteger(wanted) && wanted >= 1 && wanted <= others) return;
  throw new ConfigError({ expected: `1 to ${others} neighbours, as there are no more data`, got: `${wanted}`, where });
}

/**
 * The k data nearest to each query by Euclidean distance, exact: the products say which data are worth a second look, the distances are
 * float64 sums of squared differences. Memory: a block of the data, and the queries.
 * @param queries  float32 [queries, elements].
 * @throws ConfigError if there are not as many data; ShapeError if sizes do not fit.
 */
export async function nearestNeighbours(
  data: KeptRows,
  queries: Float32Array,
  options: NeighbourOptions,
): Promise<Neighbours> {
  checkRequest(data, queries, options);
  const { products, count = 1, without = null, signal, onProgress } = options;
  const { elements } = data;
  const all = rowsWithSquares(queries, elements, 0);
  const squares = new Float64Array(all.count * count).fill(Number.POSITIVE_INFINITY);
  const rows = new Int32Array(all.count * count);
  const chunks = Math.ceil(all.count / chunkQueries);
  const steps = chunks * Math.ceil(data.count / blockRows);
  let done = 0;
  for (let first = 0; first < data.count; first += blockRows) {
    const values = await data.read(first, Math.min(blockRows, data.count - first));
    const block = rowsWithSquares(values, elements, first);
    for (let start = 0; start < all.count; start += chunkQueries) {
      signal?.throwIfAborted();
      const end = Math.min(all.count, start + chunkQueries);
      const near = await products(queries.slice(start * elements, end * elements), values, elements);
      for (let row = start; row < end; row++) {
        const [from, to] = [row * count, (row + 1) * count];
        const least = { squares: squares.subarray(from, to), rows: rows.subarray(from, to) };
        const query = queries.subarray(row * elements, (row + 1) * elements);
        const own = (row - start) * block.count;
        const asked = { query, square: all.squares[row]!, without: without?.[row] ?? null };
        takeIn(least, asked, { block, products: near.subarray(own, own + block.count) });
      }
      onProgress?.(++done, steps);
    }
  }
  return { distances: squares.map(Math.sqrt), rows };
}

/**
 * The k nearest other data of each datum of a set, or of the first `most` of it.
 * @throws as `nearestNeighbours`.
 */
export async function neighboursWithin(
  data: KeptRows,
  options: Omit<NeighbourOptions, 'without'> & { readonly most?: number },
): Promise<Neighbours> {
  const { most = data.count, ...rest } = options;
  const without = Uint32Array.from({ length: Math.min(most, data.count) }, (_, row) => row);
  return nearestNeighbours(data, await data.read(0, without.length), { ...rest, without });
}
