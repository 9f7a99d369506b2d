/** Where the rows of banks come from: the whole set in memory, or what a batch needs read for it; and their products with its points. */
import type { KeptMatrix } from '../engine/kept-matrix.ts';
import { fitsRowMatrix, openRowMatrix, type RowMatrix, type WeightedRows } from '../numerics/row-matrix.ts';
import type { FloatArray } from './closed-form-field.ts';
import type { EfmBatch, EfmData, EfmOptions, EfmTools } from './efm-data.ts';
import type { Screen } from './efm-screen.ts';
import type { Candidates } from './efm-target.ts';

/** The banks of one batch. */
export interface BatchBanks {
  /** The data beside x1 of a row. */
  candidates(row: number): Candidates | Promise<Candidates>;
  /** Products of a row's point with its candidates; `null` where there are none. */
  screen(row: number): Screen | null;
  /** sum_j w_j b_j over candidates of each row: float32 [batch, elements]; `null` where they are not in one matrix. */
  readonly sums: ((parts: readonly WeightedRows[]) => Promise<Float32Array>) | null;
}

/**
 * A row's product with one point takes about as long as so many where the engine multiplies all rows with all points (784 elements, one
 * thread).
 */
const pairCost = 4;
/** Rows of the data that are read at once. */
const blockRows = 1024;
/** Matrices of banks have a multiple of so many rows, so that their products come in few shapes. */
const rowMultiple = 256;

/** A matrix of data with what products need of them. */
interface Matrix {
  /** float32 [rows, elements]. */
  readonly values: Float32Array;
  /** float64 [rows]. */
  readonly squares: Float64Array;
  readonly largestNorm: number;
}

function matrixOf(values: Float32Array, elements: number): Matrix {
  const squares = new Float64Array(values.length / elements);
  for (let row = 0, i = 0; row < squares.length; row++) {
    let sum = 0;
    for (const end = i + elements; i < end; i++) sum += values[i]! * values[i]!;
    squares[row] = sum;
  }
  return { values, squares, largestNorm: Math.sqrt(squares.reduce((a, b) => Math.max(a, b), 0)) };
}

/** The columns of [any, elements] as rows. */
function columns(values: Float32Array, elements: number): Float32Array {
  const count = values.length / elements;
  const result = new Float32Array(values.length);
  for (let row = 0, i = 0; row < count; row++) {
    for (let k = 0; k < elements; k++, i++) result[k * count + row] = values[i]!;
  }
  return result;
}

/** Reads all data into `values`, float32 [count, elements]. */
async function readAll({ count, elements, read }: EfmData, values: Float32Array): Promise<void> {
  for (let first = 0; first < count; first += blockRows) {
    const numbers = Uint32Array.from({ length: Math.min(blockRows, count - first) }, (_, i) => first + i);
    values.set(await read(numbers), first * elements);
  }
}

/** xt = (1 - t) x0 + t x1 of all rows: float32 [batch, elements]. */
function pathPoints({ source, target, time }: EfmBatch): Float32Array {
  const elements = target.length / time.length;
  const points = new Float32Array(target.length);
  for (let row = 0, i = 0; row < time.length; row++) {
    const t = time[row]!;
    for (const end = i + elements; i < end; i++) points[i] = (1 - t) * source[i]! + t * target[i]!;
  }
  return points;
}

/** The products of each row's candidates, out of those with all rows of the matrix, [batch, width]. */
function picked(products: Float32Array, banks: readonly Uint32Array[], width: number): Float32Array[] {
  return banks.map((rows, row) => Float32Array.from(rows, (number) => products[row * width + number]!));
}

/** Screens by the products of each row with its candidates. */
function screens(products: readonly FloatArray[], { squares, largestNorm }: Matrix): BatchBanks['screen'] {
  return (row) => ({ products: products[row]!, squares, largestNorm });
}

/** All numbers of some banks, each once, in the order of their coming. */
function union(banks: readonly Uint32Array[]): Uint32Array {
  const all = new Set<number>();
  for (const bank of banks) for (const number of bank) all.add(number);
  return Uint32Array.from(all);
}

/** Weights as lines of all rows: float32 [batch, count]. */
function dense(parts: readonly WeightedRows[], count: number): Float32Array {
  const lines = new Float32Array(parts.length * count);
  for (const [line, { rows, weights }] of parts.entries()) {
    for (let j = 0; j < rows.length; j++) lines[line * count + rows[j]!] = weights[j]!;
  }
  return lines;
}

/** The whole set in memory. */
interface WholeSet {
  readonly matrix: Matrix;
  /** `null` if the set is too large for one. */
  readonly rows: RowMatrix | null;
}

async function openWhole(data: EfmData, batch: number): Promise<WholeSet> {
  const { count, elements } = data;
  const options = { count, elements, batch };
  const rows = fitsRowMatrix(options) ? openRowMatrix(options) : null;
  const values = rows?.values ?? new Float32Array(count * elements);
  await readAll(data, values);
  return { matrix: matrixOf(values, elements), rows };
}

/** Prepares the banks of batches, of which none is larger than the first. */
export function efmMatrices(
  { bank: kind, memoryBytes }: EfmOptions,
  { data, tools }: { readonly data: EfmData; readonly tools: EfmTools },
) {
  const { count, elements } = data;
  const inMemory = 4 * count * elements <= memoryBytes;
  let whole: Promise<WholeSet> | null = null;
  let kept: Promise<KeptMatrix> | null = null;

  /** The banks as rows of the whole set. */
  async function inWhole(batch: EfmBatch, banks: readonly Uint32Array[]): Promise<BatchBanks> {
    whole ??= openWhole(data, banks.length);
    const { matrix, rows } = await whole;
    const { values } = matrix;
    const keep = () => {
      kept ??= tools.openMatrix({ values, elements, batch: banks.length });
      return kept;
    };
    // The cheaper of two routes for so many pairs of a point and a row.
    const someOf = (pairs: number) => (pairs * pairCost <= banks.length * count ? rows : null);
    const points = pathPoints(batch);
    const some = someOf(banks.reduce((sum, bank) => sum + bank.length, 0));
    const products =
      some === null ? picked(await (await keep()).products(points), banks, count) : some.products(points, banks);
    return {
      candidates: (row) => ({ values, rows: banks[row]! }),
      screen: screens(products, matrix),
      async sums(parts) {
        const few = someOf(parts.reduce((sum, part) => sum + part.rows.length, 0));
        return few === null ? (await keep()).combinations(dense(parts, count)) : few.sums(parts);
      },
    };
  }

  /** The rows that a shared bank needs, in a matrix of their own. */
  async function inUnion(batch: EfmBatch, banks: readonly Uint32Array[], numbers: Uint32Array): Promise<BatchBanks> {
    const values = new Float32Array(Math.ceil(numbers.length / rowMultiple) * rowMultiple * elements);
    values.set(await data.read(numbers));
    const place = new Map(Array.from(numbers, (number, i) => [number, i]));
    const placed = banks.map((bank) => bank.map((number) => place.get(number)!));
    const rows = values.length / elements;
    const products = picked(await tools.products(pathPoints(batch), values, elements), placed, rows);
    return {
      candidates: (row) => ({ values, rows: placed[row]! }),
      screen: screens(products, matrixOf(values, elements)),
      sums: (parts) => tools.products(dense(parts, rows), columns(values, elements), rows),
    };
  }

  /** The rows of each bank, read by themselves. */
  function readEach(banks: readonly Uint32Array[]): BatchBanks {
    const candidates = async (row: number) => ({
      values: await data.read(banks[row]!),
      rows: banks[row]!.map((_, i) => i),
    });
    return { candidates, screen: () => null, sums: null };
  }

  return {
    async prepare(batch: EfmBatch, banks: readonly Uint32Array[]): Promise<BatchBanks> {
      if (kind === 'shared') {
        const numbers = union(banks);
        if (!inMemory || 2 * numbers.length <= count) return inUnion(batch, banks, numbers);
      }
      return inMemory ? inWhole(batch, banks) : readEach(banks);
    },
  };
}
