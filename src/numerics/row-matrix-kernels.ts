/** The products and sums of `row-matrix.ts`, four float32 at a time, in WebAssembly. */
import {
  assembleModule,
  type FunctionWriter,
  f32x4,
  f64,
  f64x2,
  i32,
  type Local,
  type Value,
  wasmFunction,
} from './wasm-assembler.ts';

/** What the module exports. Addresses and lengths are in bytes; a pair is the address of a row and that of what belongs to it. */
export interface RowMatrixKernels {
  /** The product of each pair of vectors, float64, to one place after another. */
  products(pairs: number, end: number, length: number, to: number): void;
  /** Adds each pair's row to its sum, by a factor (float32) from one place after another. */
  sums(pairs: number, end: number, length: number, factors: number): void;
}

/** Bytes that a turn of the loops takes: four times four float32, whose sums do not wait for each other. */
const turn = 64;

/** The pair at `pairs`, and where whole turns of its row end. */
function pairOf(w: FunctionWriter, pairs: Value<'i32'>, length: Value<'i32'>) {
  const row = w.local(i32.load(pairs));
  const other = w.local(i32.load(pairs, 4));
  const end = w.local(i32.add(row, length));
  const turnsEnd = w.local(i32.add(row, i32.and(length, i32.constant(-turn))));
  return { row, other, end, turnsEnd };
}

function advance(w: FunctionWriter, pointers: readonly Local<'i32'>[], bytes: number): void {
  for (const pointer of pointers) w.set(pointer, i32.add(pointer, i32.constant(bytes)));
}

const products = wasmFunction({
  parameters: ['i32', 'i32', 'i32', 'i32'],
  result: null,
  write(w, pairs, pairsEnd, length, to) {
    const [a, b, c, d] = [w.local(f32x4.zero()), w.local(f32x4.zero()), w.local(f32x4.zero()), w.local(f32x4.zero())];
    const parts = [a, b, c, d];
    const doubles = w.local(f32x4.zero());
    const sum = w.local(f64.constant(0));
    w.loop(i32.before(pairs, pairsEnd), () => {
      const { row, other, end, turnsEnd } = pairOf(w, pairs, length);
      for (const part of parts) w.set(part, f32x4.zero());
      w.loop(i32.before(row, turnsEnd), () => {
        for (const [k, part] of parts.entries()) {
          w.set(part, f32x4.add(part, f32x4.multiply(f32x4.load(row, 16 * k), f32x4.load(other, 16 * k))));
        }
        advance(w, [row, other], turn);
      });
      w.set(a, f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
      w.set(doubles, f64x2.add(f32x4.lowDoubles(a), f32x4.highDoubles(a)));
      w.set(sum, f64.add(f64x2.first(doubles), f64x2.second(doubles)));
      w.loop(i32.before(row, end), () => {
        w.set(sum, f64.add(sum, f64.multiply(f64.loadFloat32(row), f64.loadFloat32(other))));
        advance(w, [row, other], 4);
      });
      w.run(f64.store(to, sum));
      advance(w, [pairs, to], 8);
    });
  },
});

const sums = wasmFunction({
  parameters: ['i32', 'i32', 'i32', 'i32'],
  result: null,
  write(w, pairs, pairsEnd, length, factors) {
    const factor = w.local(f32x4.zero());
    w.loop(i32.before(pairs, pairsEnd), () => {
      const { row, other, end, turnsEnd } = pairOf(w, pairs, length);
      w.set(factor, f32x4.loadSplat(factors));
      w.loop(i32.before(row, turnsEnd), () => {
        for (const at of [0, 16, 32, 48]) {
          const added = f32x4.multiply(factor, f32x4.load(row, at));
          w.run(f32x4.store(other, f32x4.add(f32x4.load(other, at), added), at));
        }
        advance(w, [row, other], turn);
      });
      w.loop(i32.before(row, end), () => {
        const added = f64.multiply(f64.loadFloat32(factors), f64.loadFloat32(row));
        w.run(f64.storeFloat32(other, f64.add(f64.loadFloat32(other), added)));
        advance(w, [row, other], 4);
      });
      advance(w, [pairs], 8);
      advance(w, [factors], 4);
    });
  },
});

/** Bytes of the module. */
export function rowMatrixModule(): Uint8Array {
  return assembleModule({ products, sums });
}
