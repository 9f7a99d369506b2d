/** The steps of the assignment solver that go through many numbers, two at a time, in WebAssembly. */
import {
  assembleModule,
  type FunctionWriter,
  f64,
  f64x2,
  i32,
  i64x2,
  type Local,
  type Value,
  type WasmFunction,
  wasmFunction,
} from './wasm-assembler.ts';

/** What the kernels find at the beginning of the memory, one 32-bit integer each: sizes, and where the arrays lie (`...At`, in bytes). */
export const cells = [
  'columns',
  'width',
  'stride',
  'dualsAt',
  'columnOfAt',
  'rowOfAt',
  'pairCostAt',
  'freeAt',
  'countAt',
  'columnAt',
  'costAt',
  'boundAt',
  'next',
  'count',
  'left',
  'turns',
  'mostTurns',
] as const;

export type Cell = (typeof cells)[number];

/** What the module exports. Rows are read from where their costs lie, padded by Infinity to a multiple of four. */
export interface AssignmentKernels {
  /**
   * Adds columns of row i to its candidates, from column `from` on: those whose reduced cost is below `limit`.
   * @returns the column at which it stopped because there were more than `width`, at least `columns` if it came to the end, -1 if a
   *   cost is NaN or -Infinity.
   */
  select(row: number, i: number, from: number, limit: number): number;
  /** The least cost of a row; NaN if one of them is NaN or -Infinity. */
  least(row: number): number;
  /** v_j = min(v_j, c_ij - r_i) for the row whose least cost is r_i. */
  lower(row: number, least: number): void;
  /** Row reduction, from `next` on; see `reduceRows`. @returns a row whose candidates do not suffice, -1 at the end. */
  reduce(excess: number): number;
}

const address = (at: Value<'i32'>, index: Value<'i32'>, shift: number) =>
  i32.add(at, i32.shiftLeft(index, i32.constant(shift)));
const ints = (at: Value<'i32'>, index: Value<'i32'>) => address(at, index, 2);
const doubles = (at: Value<'i32'>, index: Value<'i32'>) => address(at, index, 3);
const zero = i32.constant(0);
const one = i32.constant(1);
const infinity = f64.constant(Number.POSITIVE_INFINITY);
const lowest = f64x2.both(f64.constant(Number.NEGATIVE_INFINITY));

const cellAt = (cell: Cell) => 4 * cells.indexOf(cell);
const read = (cell: Cell) => i32.load(zero, cellAt(cell));

/** How a matrix holds its numbers: the logarithm of their size, and the read of two of them, as float64. */
interface Element {
  readonly shift: number;
  readonly pair: (at: Value<'i32'>, index?: number) => Value<'v128'>;
}

const elements: { readonly [Name in 'float32' | 'float64']: Element } = {
  float32: { shift: 2, pair: (at, index = 0) => f64x2.loadFloat32(at, 4 * index) },
  float64: { shift: 3, pair: (at, index = 0) => f64x2.load(at, 8 * index) },
};

function select({ shift, pair }: Element): WasmFunction {
  return wasmFunction({
    parameters: ['i32', 'i32', 'i32', 'f64'],
    result: 'i32',
    write(w, row, i, j, limit) {
      const columns = w.local(read('columns'));
      const start = w.local(i32.multiply(i, read('stride')));
      const column = w.local(ints(read('columnAt'), start));
      const cost = w.local(doubles(read('costAt'), start));
      const countAt = w.local(ints(read('countAt'), i));
      const count = w.local(i32.load(countAt));
      const width = w.local(read('width'));
      const line = w.local(address(row, j, shift));
      const duals = w.local(doubles(read('dualsAt'), j));
      const below = w.local(f64x2.both(limit));
      const costs = [w.local(lowest), w.local(lowest)];
      const beyond = [w.local(lowest), w.local(lowest)];
      const reduced = [w.local(lowest), w.local(lowest)];
      const hits = w.local(zero);
      w.loop(i32.less(j, columns), () => {
        for (const k of [0, 1]) {
          w.set(costs[k]!, pair(line, 2 * k));
          w.set(reduced[k]!, f64x2.subtract(costs[k]!, f64x2.load(duals, 16 * k)));
          w.set(beyond[k]!, f64x2.atLeast(reduced[k]!, below));
        }
        w.when(i32.not(i64x2.all(i64x2.and(beyond[0]!, beyond[1]!))), () => {
          // Written so that what is not a number is met here too.
          const numbers = reduced.map((each) => f64x2.more(each, lowest));
          w.when(i32.not(i64x2.all(i64x2.and(numbers[0]!, numbers[1]!))), () => w.answer(i32.constant(-1)));
          // All four are written; those that are no candidates are written over.
          for (const k of [0, 1]) {
            w.set(hits, i64x2.bits(beyond[k]!));
            for (const [lane, value] of [f64x2.first(costs[k]!), f64x2.second(costs[k]!)].entries()) {
              w.run(f64.store(doubles(cost, count), value));
              w.run(i32.store(ints(column, count), i32.add(j, i32.constant(2 * k + lane))));
              const bit = i32.and(i32.shiftRight(hits, i32.constant(lane)), one);
              w.set(count, i32.add(count, i32.subtract(one, bit)));
            }
          }
        });
        w.set(j, i32.add(j, i32.constant(4)));
        w.set(line, i32.add(line, i32.constant(4 << shift)));
        w.set(duals, i32.add(duals, i32.constant(32)));
        w.when(i32.greater(count, width), () => {
          w.run(i32.store(countAt, count));
          w.answer(j);
        });
      });
      w.run(i32.store(countAt, count));
      w.answer(j);
    },
  });
}

/** Goes through a row, four columns at a time; `pairs` are its costs. */
function eachPair(
  w: FunctionWriter,
  { shift, pair }: Element,
  { row, body }: { row: Value<'i32'>; body: (pair: Value<'v128'>, index: number) => void },
) {
  const line = w.local(row);
  const end = w.local(address(row, read('columns'), shift));
  w.loop(i32.before(line, end), () => {
    for (const index of [0, 1]) body(pair(line, 2 * index), index);
    w.set(line, i32.add(line, i32.constant(4 << shift)));
  });
}

function least(element: Element): WasmFunction {
  return wasmFunction({
    parameters: ['i32'],
    result: 'f64',
    write(w, row) {
      const values = w.local(lowest);
      const numbers = w.local(i64x2.constant(-1, -1));
      const smallest = w.local(f64x2.both(infinity));
      eachPair(w, element, {
        row,
        body(pair) {
          w.set(values, pair);
          w.set(numbers, i64x2.and(numbers, f64x2.more(values, lowest)));
          w.set(smallest, f64x2.lesser(smallest, values));
        },
      });
      w.when(i32.not(i64x2.all(numbers)), () => w.answer(f64.constant(Number.NaN)));
      w.when(f64.less(f64x2.first(smallest), f64x2.second(smallest)), () => w.answer(f64x2.first(smallest)));
      w.answer(f64x2.second(smallest));
    },
  });
}

function lower(element: Element): WasmFunction {
  return wasmFunction({
    parameters: ['i32', 'f64'],
    result: null,
    write(w, row, constant) {
      const constants = w.local(f64x2.both(constant));
      const duals = w.local(read('dualsAt'));
      eachPair(w, element, {
        row,
        body(pair, index) {
          const lowered = f64x2.lesser(f64x2.load(duals, 16 * index), f64x2.subtract(pair, constants));
          w.run(f64x2.store(duals, lowered, 16 * index));
          if (index === 1) w.set(duals, i32.add(duals, i32.constant(32)));
        },
      });
    },
  });
}

/** The least and the second least reduced cost of a row's candidates, and the place of the first of the least. */
interface Nearest {
  /** Where the duals lie. */
  readonly duals: Value<'i32'>;
  readonly least: Local<'f64'>;
  readonly second: Local<'f64'>;
  readonly place: Local<'i32'>;
}

/** Where the candidates of a row lie, and how many they are. */
interface Row {
  readonly column: Local<'i32'>;
  readonly cost: Local<'i32'>;
  readonly count: Local<'i32'>;
}

const reducedCost = ({ column, cost }: Row, duals: Value<'i32'>, k: Value<'i32'>) =>
  f64.subtract(f64.load(doubles(cost, k)), f64.load(doubles(duals, i32.load(ints(column, k)))));

/** Finds the nearest: even places in the first lane, odd ones in the second, which has a pair more than it should where the count is odd. */
function findNearest(w: FunctionWriter, row: Row, { duals, least, second, place }: Nearest): void {
  const { column, cost, count } = row;
  w.when(i32.and(count, one), () => {
    w.run(f64.store(doubles(cost, count), infinity));
    w.run(i32.store(ints(column, count), zero));
  });
  const leasts = w.local(f64x2.both(infinity));
  const seconds = w.local(f64x2.both(infinity));
  const places = w.local(i64x2.constant(0, 1));
  const here = w.local(i64x2.constant(0, 1));
  const reduced = w.local(leasts);
  const columnAt = w.local(column);
  const costAt = w.local(cost);
  const end = w.local(ints(column, count));
  w.loop(i32.before(columnAt, end), () => {
    const dual = (lane: number) => doubles(duals, i32.load(columnAt, 4 * lane));
    w.set(reduced, f64x2.subtract(f64x2.load(costAt), f64x2.gather(dual(0), dual(1))));
    w.set(places, i64x2.select(f64x2.less(reduced, leasts), here, places));
    w.set(seconds, f64x2.lesser(seconds, f64x2.greater(leasts, reduced)));
    w.set(leasts, f64x2.lesser(leasts, reduced));
    w.set(here, i64x2.add(here, i64x2.constant(2, 2)));
    w.set(columnAt, i32.add(columnAt, i32.constant(8)));
    w.set(costAt, i32.add(costAt, i32.constant(16)));
  });
  const odd = w.local(f64x2.second(leasts));
  const oddPlace = w.local(i64x2.second(places));
  w.set(least, f64x2.first(leasts));
  w.set(place, i64x2.first(places));
  w.set(second, odd);
  const oddIsNearer = i32.and(f64.equal(odd, least), i32.less(oddPlace, place));
  w.when(i32.or(f64.less(odd, least), oddIsNearer), () => {
    w.set(second, least);
    w.set(least, odd);
    w.set(place, oddPlace);
  });
  for (const other of [f64x2.first(seconds), f64x2.second(seconds)]) {
    w.when(f64.less(other, second), () => w.set(second, other));
  }
}

/** Puts another place of equal worth, of a free column if there is one, in place of the first. */
function preferFree(w: FunctionWriter, row: Row, { duals, least, place }: Nearest): void {
  const first = w.local(place);
  const other = w.local(i32.constant(-1));
  const k = w.local(zero);
  w.loop(i32.less(k, row.count), () => {
    const isOther = i32.and(i32.notEqual(k, first), f64.equal(reducedCost(row, duals, k), least));
    w.when(isOther, () => {
      const free = i32.less(i32.load(ints(read('rowOfAt'), i32.load(ints(row.column, k)))), zero);
      w.when(i32.or(free, i32.less(other, zero)), () => w.set(other, k));
      w.when(free, () => w.set(k, row.count));
    });
    w.set(k, i32.add(k, one));
  });
  w.set(place, other);
}

/** Adds to a cell. */
function bump(w: FunctionWriter, cell: Cell, by: number): void {
  w.run(i32.store(zero, i32.add(read(cell), i32.constant(by)), cellAt(cell)));
}

/** Leaves a row to be paired by a path. */
function leave(w: FunctionWriter, row: Value<'i32'>): void {
  w.run(i32.store(ints(read('freeAt'), read('left')), row));
  bump(w, 'left', 1);
}

/** Frees the row that had a column; it is treated next as long as there are turns. */
function displace(w: FunctionWriter, former: Value<'i32'>): void {
  w.run(i32.store(ints(read('columnOfAt'), former), i32.constant(-1)));
  w.when(
    i32.less(read('turns'), read('mostTurns')),
    () => {
      bump(w, 'next', -1);
      w.run(i32.store(ints(read('freeAt'), read('next')), former));
    },
    () => leave(w, former),
  );
  bump(w, 'turns', 1);
}

const reduce = wasmFunction({
  parameters: ['f64'],
  result: 'i32',
  write(w, excess) {
    const duals = w.local(read('dualsAt'));
    const rowOf = w.local(read('rowOfAt'));
    const [i, start, j, former, gained] = [w.local(zero), w.local(zero), w.local(zero), w.local(zero), w.local(zero)];
    const row = { column: w.local(zero), cost: w.local(zero), count: w.local(zero) };
    const nearest = { duals, least: w.local(infinity), second: w.local(infinity), place: w.local(zero) };
    const { least, second, place } = nearest;
    const [dual, lowered] = [w.local(infinity), w.local(infinity)];
    const isPaired = i32.not(i32.less(former, zero));
    const choose = () => {
      w.set(j, i32.load(ints(row.column, place)));
      w.set(former, i32.load(ints(rowOf, j)));
    };
    w.loop(i32.less(read('next'), read('count')), () => {
      w.set(i, i32.load(ints(read('freeAt'), read('next'))));
      w.set(start, i32.multiply(i, read('stride')));
      w.set(row.column, ints(read('columnAt'), start));
      w.set(row.cost, doubles(read('costAt'), start));
      w.set(row.count, i32.load(ints(read('countAt'), i)));
      findNearest(w, row, nearest);
      w.when(i32.not(f64.lessOrEqual(second, f64.load(doubles(read('boundAt'), i)))), () => w.answer(i));
      bump(w, 'next', 1);
      choose();
      w.set(dual, f64.load(doubles(duals, j)));
      w.set(lowered, f64.subtract(f64.subtract(dual, f64.subtract(second, least)), excess));
      // Where the difference is lost in rounding, nothing is gained by going on at once.
      w.set(gained, i32.and(f64.less(lowered, dual), f64.less(second, infinity)));
      w.when(
        gained,
        () => w.run(f64.store(doubles(duals, j), lowered)),
        () => {
          w.when(i32.and(f64.equal(second, least), isPaired), () => {
            preferFree(w, row, nearest);
            choose();
          });
        },
      );
      w.when(
        i32.and(isPaired, i32.not(gained)),
        // Taking the column would only free another row.
        () => leave(w, i),
        () => {
          w.run(i32.store(ints(read('columnOfAt'), i), j));
          w.run(i32.store(ints(rowOf, j), i));
          w.run(f64.store(doubles(read('pairCostAt'), i), f64.load(doubles(row.cost, place))));
          w.when(isPaired, () => displace(w, former));
        },
      );
    });
    w.answer(i32.constant(-1));
  },
});

/** Bytes of the module for matrices of float32 or of float64. */
export function assignmentModule(name: keyof typeof elements): Uint8Array {
  const element = elements[name];
  return assembleModule({ select: select(element), least: least(element), lower: lower(element), reduce });
}
