/** Where the rows of banks come from: the whole set in memory, or what a batch needs read for it; and their products with its points. */
import type { KeptMatrix } from '../engine/kept-matrix.ts';
import type { EfmBatch, EfmData, EfmOptions, EfmTools } from './efm-data.ts';
import type { Screen } from './efm-screen.ts';
import type { Candidates } from './efm-target.ts';

/** The banks of one batch. */
export interface BatchBanks {
  /** The data beside x1 of a row. */
  candidates(row: number): Candidates | Promise<Candidates>;
  /** Products of a row's point with the matrix that holds its candidates; `null` where they are not worth it. */
  screen(row: number): Screen | null;
  /** Sums over all candidates of all rows in one product; `null` where no matrix is at hand. */
  readonly combinations: Combinations | null;
}

/** Sums of the rows of a matrix D by weights. */
export interface Combinations {
  /** Rows of the matrix. */
  readonly count: number;
  /** w D: float32 [batch, count] gives [batch, elements]. */
  sums(weights: Float32Array): Promise<Float32Array>;
}

/** A row that is read on the host takes about as long as so many in a product of the engine (784 elements, one thread). */
export const hostRowCost = 64;
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

async function readAll({ count, elements, read }: EfmData): Promise<Float32Array> {
  const values = new Float32Array(count * elements);
  for (let first = 0; first < count; first += blockRows) {
    const numbers = Uint32Array.from({ length: Math.min(blockRows, count - first) }, (_, i) => first + i);
    values.set(await read(numbers), first * elements);
  }
  return values;
}

/** xt = (1 - t) x0 + t x1 of all rows: float32 [batch, elements]. */
function pathPoints({ source, target, time }: EfmBatch): Float32Array {
  const elements = target.length / time.length;
  return target.map((x1, i) => {
    const t = time[Math.floor(i / elements)]!;
    return (1 - t) * source[i]! + t * x1;
  });
}

/** Screens by the lines of products [batch, width]. */
function screens(products: Float32Array, { squares, largestNorm }: Matrix): BatchBanks['screen'] {
  const width = squares.length;
  return (row) => ({ products: products.subarray(row * width, (row + 1) * width), squares, largestNorm });
}

/** All numbers of some banks, each once, in the order of their coming. */
function union(banks: readonly Uint32Array[]): Uint32Array {
  const all = new Set<number>();
  for (const bank of banks) for (const number of bank) all.add(number);
  return Uint32Array.from(all);
}

/** Prepares the banks of batches. */
export function efmMatrices(
  { bank: kind, memoryBytes }: EfmOptions,
  { data, tools }: { readonly data: EfmData; readonly tools: EfmTools },
) {
  const { count, elements } = data;
  const inMemory = 4 * count * elements <= memoryBytes;
  let whole: Promise<Matrix> | null = null;
  let kept: Promise<KeptMatrix> | null = null;
  const openWhole = async () => matrixOf(await readAll(data), elements);
  const keep = async (batch: number) => tools.openMatrix({ values: (await whole!).values, elements, batch });

  /** The banks as rows of the whole set. */
  async function inWhole(batch: EfmBatch, banks: readonly Uint32Array[]): Promise<BatchBanks> {
    whole ??= openWhole();
    const matrix = await whole;
    const candidates = (row: number) => ({ values: matrix.values, rows: banks[row]! });
    const members = banks.reduce((sum, bank) => sum + bank.length, 0);
    if (members * hostRowCost <= banks.length * count) return { candidates, screen: () => null, combinations: null };
    kept ??= keep(banks.length);
    const { products, combinations } = await kept;
    const screen = screens(await products(pathPoints(batch)), matrix);
    return { candidates, screen, combinations: { count, sums: combinations } };
  }

  /** The rows that a shared bank needs, in a matrix of their own. */
  async function inUnion(batch: EfmBatch, banks: readonly Uint32Array[], numbers: Uint32Array): Promise<BatchBanks> {
    const values = new Float32Array(Math.ceil(numbers.length / rowMultiple) * rowMultiple * elements);
    values.set(await data.read(numbers));
    const place = new Map(Array.from(numbers, (number, i) => [number, i]));
    const candidates = (row: number) => ({ values, rows: banks[row]!.map((number) => place.get(number)!) });
    const products = await tools.products(pathPoints(batch), values, elements);
    const rows = values.length / elements;
    const sums = async (weights: Float32Array) => tools.products(weights, columns(values, elements), rows);
    return { candidates, screen: screens(products, matrixOf(values, elements)), combinations: { count: rows, sums } };
  }

  /** The rows of each bank, read by themselves. */
  function readEach(banks: readonly Uint32Array[]): BatchBanks {
    const candidates = async (row: number) => ({
      values: await data.read(banks[row]!),
      rows: banks[row]!.map((_, i) => i),
    });
    return { candidates, screen: () => null, combinations: null };
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
