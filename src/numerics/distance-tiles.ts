/**
 * Squared distances of all rows of one set to all of another, tile by tile: by float32 products, with a bound on their error, for
 * those who then look at the few close calls in float64.
 */
import { NumericalError, ShapeError } from '../errors.ts';
import { type DotProducts, hostDotProducts } from './dot-products.ts';
import { meanOfRows } from './moments.ts';

/** Rows side by side, [count, elements]. */
export interface RowSet {
  readonly values: Float32Array | Float64Array;
  readonly count: number;
  readonly elements: number;
}

/** Rows of a matrix. @throws ShapeError if the numbers do not fill whole rows. */
export function rowSet(values: Float32Array | Float64Array, elements: number): RowSet {
  if (Number.isInteger(elements) && elements >= 1 && values.length % elements === 0) {
    return { values, elements, count: values.length / elements };
  }
  throw new ShapeError({
    expected: `rows of \`elements\` = ${elements} numbers`,
    got: `${values.length} numbers`,
    where: 'numerics/distance-tiles',
  });
}

/** Squared distance of row i of one set to row j of another in float64, by differences; the same bits with the sets exchanged. */
export function squaredDistance(a: RowSet, b: RowSet, { i, j }: { readonly i: number; readonly j: number }): number {
  const [x, y, elements] = [a.values, b.values, a.elements];
  const [at, bt] = [i * elements, j * elements];
  let sum = 0;
  for (let k = 0; k < elements; k++) {
    const difference = x[at + k]! - y[bt + k]!;
    sum += difference * difference;
  }
  return sum;
}

/** A tile of approximate squared distances. */
export interface DistanceTile {
  readonly firstRow: number;
  readonly firstColumn: number;
  readonly rows: number;
  readonly columns: number;
  /** About squared distances, [rows, columns]. May be below 0. Overwritten by the next tile. */
  readonly squares: Float64Array;
  /** Bounds on how far `squares` are from the true ones, [rows, columns]. */
  readonly errors: Float64Array;
}

export interface TileOptions {
  /** Products of float32 rows; any order of additions, in float32 or better. Plain JavaScript by default. */
  readonly products?: DotProducts;
  /** Rows of a tile. Default 512. */
  readonly tileRows?: number;
  /** Columns of a tile. Default 2048. */
  readonly tileColumns?: number;
  /** Aborting ends the work with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Hears how many of all tiles are computed. */
  readonly onTile?: (done: number, count: number) => void;
}

/** Rows may not be longer than this, so that no float32 product overflows. */
const largestNorm = 1e18;

/** Rows less a common centre, in float32, and their norms. */
interface Centred {
  readonly values: Float32Array;
  readonly norms: Float64Array;
}

/** Distances do not change, but the products from which they are made become smaller, and their rounding with them. */
function centred({ values, count, elements }: RowSet, centre: Float64Array): Centred {
  const moved = new Float32Array(values.length);
  const norms = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const start = i * elements;
    let squares = 0;
    for (let k = 0; k < elements; k++) {
      const value = Math.fround(values[start + k]! - centre[k]!);
      moved[start + k] = value;
      squares += value * value;
    }
    norms[i] = Math.sqrt(squares);
    if (norms[i]! < largestNorm) continue;
    throw new NumericalError({
      expected: `rows to be finite and shorter than ${largestNorm}, whose products float32 can hold`,
      got: `length ${norms[i]} from the mean at row ${i}`,
      where: 'numerics/distance-tiles',
    });
  }
  return { values: moved, norms };
}

/** Relative rounding of float32. */
const unit = 2 ** -24;
/** The least normal number of float32, below which products may become 0. */
const leastNormal = 2 ** -126;

/**
 * Visits the tiles of all distances of `rows` to `columns`: all columns of the first rows, in order, then the next rows.
 *
 * With x, y the rows less a common centre and rounded to float32, |x|^2 + |y|^2 - 2 p for a float32 product p of n terms is off by at
 * most 2 gamma |x| |y| with gamma = n u / (1 - n u), u = 2^-24 [higham:02, section 3.1]; rounding moves x by u |x| at most, which
 * changes the squared distance by up to 2 u (|x| + |y|)^2 and terms in u^2. The bounds given are of these two parts, with 3 for 2, and
 * of n products that underflow.
 * @throws ShapeError if the rows of the two differ in length; NumericalError if one is not finite.
 */
export async function* distanceTiles(
  rows: RowSet,
  columns: RowSet,
  options: TileOptions,
): AsyncGenerator<DistanceTile> {
  const { products = hostDotProducts, tileRows = 512, tileColumns = 2048, signal, onTile } = options;
  const { elements } = columns;
  if (rows.elements !== elements) {
    throw new ShapeError({
      expected: `rows of ${elements} numbers in both sets`,
      got: `${rows.elements}`,
      where: 'numerics/distance-tiles',
    });
  }
  const centre = meanOfRows(columns.values, elements);
  const [x, y] = [centred(rows, centre), rows === columns ? null : centred(columns, centre)];
  const largest = Math.min(tileRows, rows.count) * Math.min(tileColumns, columns.count);
  const [squares, errors] = [new Float64Array(largest), new Float64Array(largest)];
  const tiles = Math.ceil(rows.count / tileRows) * Math.ceil(columns.count / tileColumns);
  let done = 0;
  for (let i0 = 0; i0 < rows.count; i0 += tileRows) {
    const i1 = Math.min(rows.count, i0 + tileRows);
    for (let j0 = 0; j0 < columns.count; j0 += tileColumns) {
      const j1 = Math.min(columns.count, j0 + tileColumns);
      const from = y ?? x;
      const [a, b] = [
        x.values.subarray(i0 * elements, i1 * elements),
        from.values.subarray(j0 * elements, j1 * elements),
      ];
      signal?.throwIfAborted();
      const p = await products(a, b, elements);
      onTile?.(++done, tiles);
      const tile = { firstRow: i0, firstColumn: j0, rows: i1 - i0, columns: j1 - j0, squares, errors };
      fillTile(tile, p, { xNorms: x.norms, yNorms: from.norms, elements });
      yield tile;
    }
  }
}

function fillTile(
  { firstRow, firstColumn, rows, columns, squares, errors }: DistanceTile,
  products: Float32Array,
  s: { readonly xNorms: Float64Array; readonly yNorms: Float64Array; readonly elements: number },
): void {
  const { xNorms, yNorms, elements } = s;
  const gamma = (elements * unit) / (1 - elements * unit);
  const underflow = 4 * elements * leastNormal;
  for (let i = 0; i < rows; i++) {
    const nx = xNorms[firstRow + i]!;
    const start = i * columns;
    for (let j = 0; j < columns; j++) {
      const ny = yNorms[firstColumn + j]!;
      squares[start + j] = nx * nx + ny * ny - 2 * products[start + j]!;
      errors[start + j] = 2 * gamma * nx * ny + 3 * unit * (nx + ny) * (nx + ny) + underflow;
    }
  }
}
