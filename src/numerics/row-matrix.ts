/** Products and sums of some rows of a matrix, where a product of all its rows would be mostly unused. */
import { type RowMatrixKernels, rowMatrixModule } from './row-matrix-kernels.ts';

/** What of WebAssembly is used here; the types of Node 20 do not have it. */
declare const WebAssembly: {
  readonly Memory: new (limits: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
};

/** A matrix D whose rows are multiplied and added on the caller's thread. */
export interface RowMatrix {
  /** float32 [count, elements]: zeros at first, to be filled. */
  readonly values: Float32Array;
  /**
   * Products of points with some rows each.
   * @param points  float32 [batch, elements].
   * @param rows    for each point, numbers of rows.
   * @returns for each point its products, float64, each of float32 products in 16 partial sums of float32.
   */
  products(points: Float32Array, rows: readonly Uint32Array[]): Float64Array[];
  /** sum_j w_j D_j over some rows each: float32 [batch, elements], added up in float32 in the order of the rows' numbers. */
  sums(parts: readonly WeightedRows[]): Float32Array;
}

/** Some rows of a matrix with their weights. */
export interface WeightedRows {
  readonly rows: Uint32Array;
  readonly weights: Float64Array;
}

export interface RowMatrixOptions {
  readonly count: number;
  readonly elements: number;
  /** Points, or sums, of a request at most. */
  readonly batch: number;
}

const pageBytes = 65_536;
/** Bytes that a module can see. */
const mostBytes = 65_536 * pageBytes;
/** Pairs of a row and a point that the module is given at once. */
const groupPairs = 4096;

/** Where things lie in the module's memory, in bytes. */
function layout({ count, elements, batch }: RowMatrixOptions) {
  const vectorsAt = 4 * count * elements;
  const pairsAt = 8 * Math.ceil((vectorsAt + 4 * batch * elements) / 8);
  const scalarsAt = pairsAt + 8 * groupPairs;
  return { vectorsAt, pairsAt, scalarsAt, bytes: scalarsAt + 8 * groupPairs };
}

/** Whether a matrix is small enough. */
export function fitsRowMatrix(options: RowMatrixOptions): boolean {
  return layout(options).bytes <= mostBytes;
}

/** Pairs of a row and a point, those of a row one after the other, so that the matrix is read once and in its order. */
interface SortedPairs {
  /** uint32 [pairs] each: the row, the point, and the place among all pairs in the order of the points. */
  readonly row: Uint32Array;
  readonly point: Uint32Array;
  readonly place: Uint32Array;
}

/** Sorts by counting. */
function sortPairs(rows: readonly Uint32Array[], count: number): SortedPairs {
  const ends = new Uint32Array(count + 1);
  let pairs = 0;
  for (const some of rows) {
    pairs += some.length;
    for (let j = 0; j < some.length; j++) ends[some[j]! + 1]!++;
  }
  for (let row = 0; row < count; row++) ends[row + 1]! += ends[row]!;
  const sorted = { row: new Uint32Array(pairs), point: new Uint32Array(pairs), place: new Uint32Array(pairs) };
  let place = 0;
  for (const [point, some] of rows.entries()) {
    for (let j = 0; j < some.length; j++) {
      const to = ends[some[j]!]!++;
      sorted.row[to] = some[j]!;
      sorted.point[to] = point;
      sorted.place[to] = place++;
    }
  }
  return sorted;
}

/** Opens a matrix in the memory of a WebAssembly module. @throws RangeError if there is not so much memory; see `fitsRowMatrix`. */
export function openRowMatrix(options: RowMatrixOptions): RowMatrix {
  const { count, elements } = options;
  const { vectorsAt, pairsAt, scalarsAt, bytes } = layout(options);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(rowMatrixModule()), { env: { memory } });
  const kernels = instance.exports as RowMatrixKernels;
  const { buffer } = memory;
  const length = 4 * elements;
  const values = new Float32Array(buffer, 0, count * elements);
  const vectors = new Float32Array(buffer, vectorsAt, options.batch * elements);
  const addresses = new Uint32Array(buffer, pairsAt, 2 * groupPairs);
  const results = new Float64Array(buffer, scalarsAt, groupPairs);
  const factors = new Float32Array(buffer, scalarsAt, groupPairs);
  /** Hands the pairs to the module in groups. */
  function eachGroup({ row, point }: SortedPairs, treat: (first: number, end: number, pairsEnd: number) => void): void {
    for (let first = 0; first < row.length; first += groupPairs) {
      const end = Math.min(row.length, first + groupPairs);
      for (let k = first, at = 0; k < end; k++) {
        addresses[at++] = row[k]! * length;
        addresses[at++] = vectorsAt + point[k]! * length;
      }
      treat(first, end, pairsAt + 8 * (end - first));
    }
  }
  return {
    values,
    products(points, rows) {
      vectors.set(points);
      const pairs = sortPairs(rows, count);
      const all = new Float64Array(pairs.row.length);
      eachGroup(pairs, (first, end, pairsEnd) => {
        kernels.products(pairsAt, pairsEnd, length, scalarsAt);
        for (let k = first; k < end; k++) all[pairs.place[k]!] = results[k - first]!;
      });
      let from = 0;
      return rows.map((some) => {
        const first = from;
        from += some.length;
        return all.subarray(first, from);
      });
    },
    sums(parts) {
      vectors.fill(0);
      const pairs = sortPairs(
        parts.map(({ rows }) => rows),
        count,
      );
      const weights = new Float32Array(pairs.row.length);
      let from = 0;
      for (const part of parts) {
        weights.set(part.weights, from);
        from += part.weights.length;
      }
      eachGroup(pairs, (first, end, pairsEnd) => {
        for (let k = first; k < end; k++) factors[k - first] = weights[pairs.place[k]!]!;
        kernels.sums(pairsAt, pairsEnd, length, scalarsAt);
      });
      return vectors.slice(0, parts.length * elements);
    },
  };
}
