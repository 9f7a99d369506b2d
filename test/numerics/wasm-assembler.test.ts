import { describe, expect, it } from 'vitest';
import {
  assembleModule,
  f64,
  f64x2,
  i32,
  i64x2,
  type WasmFunction,
  wasmFunction,
} from '../../src/numerics/wasm-assembler.ts';

declare const WebAssembly: {
  readonly Memory: new (limits: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, (...values: number[]) => number>> };
};

/** The functions of a module, and its memory. */
function open(functions: Readonly<Record<string, WasmFunction>>) {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(assembleModule(functions)), { env: { memory } });
  return { ...exports, buffer: memory.buffer } as Readonly<Record<string, (...values: number[]) => number>> & {
    readonly buffer: ArrayBuffer;
  };
}

/** A function without parameters that gives a value. */
const giving = (value: ReturnType<typeof i32.constant>) =>
  wasmFunction({ parameters: [], result: 'i32', write: (w) => w.answer(value) });

describe('assembleModule', () => {
  it('encodes integers of every length and sign', () => {
    const values = [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8193, 2 ** 20, 2 ** 31 - 1, -(2 ** 31)];
    const module = open(Object.fromEntries(values.map((value, k) => [`f${k}`, giving(i32.constant(value))])));
    expect(values.map((_, k) => module[`f${k}`]())).toEqual(values);
  });

  it('encodes offsets, names and bodies that take several bytes', () => {
    const name = 'long'.repeat(50);
    const { buffer, [name]: sum } = open({
      [name]: wasmFunction({
        parameters: ['i32'],
        result: 'f64',
        write(w, at) {
          const total = w.local(f64.constant(0));
          for (let k = 0; k < 200; k++) w.set(total, f64.add(total, f64.load(at, 8 * k)));
          w.answer(total);
        },
      }),
    });
    new Float64Array(buffer, 16, 200).set(Array.from({ length: 200 }, (_, k) => k / 2));
    expect(sum(16)).toBe((199 * 200) / 4);
  });

  it('runs loops and both ways of a condition, and functions without a result', () => {
    const { collatz, poke, buffer } = open({
      collatz: wasmFunction({
        parameters: ['i32'],
        result: 'i32',
        write(w, n) {
          const steps = w.local(i32.constant(0));
          w.loop(i32.greater(n, i32.constant(1)), () => {
            w.when(
              i32.and(n, i32.constant(1)),
              () => w.set(n, i32.add(i32.multiply(n, i32.constant(3)), i32.constant(1))),
              () => w.set(n, i32.shiftRight(n, i32.constant(1))),
            );
            w.set(steps, i32.add(steps, i32.constant(1)));
          });
          w.answer(steps);
        },
      }),
      poke: wasmFunction({
        parameters: ['i32'],
        result: null,
        write: (w, value) => w.run(i32.store(i32.constant(0), value, 300)),
      }),
    });
    expect(collatz(27)).toBe(111);
    expect(poke(77)).toBeUndefined();
    expect(new Int32Array(buffer)[75]).toBe(77);
  });

  it('has vectors of two float64 whose lanes do what numbers do', () => {
    const at = i32.constant;
    const { run, buffer } = open({
      run: wasmFunction({
        parameters: [],
        result: 'i32',
        write(w) {
          const a = w.local(f64x2.load(at(0)));
          const b = w.local(f64x2.gather(at(24), at(16)));
          const less = w.local(f64x2.less(a, b));
          const results = [
            f64x2.subtract(a, b),
            f64x2.lesser(a, b),
            f64x2.greater(a, b),
            f64x2.loadFloat32(at(32)),
            f64x2.both(f64x2.second(a)),
            i64x2.select(less, a, b),
          ];
          for (const [k, value] of results.entries()) w.run(f64x2.store(at(64), value, 16 * k));
          const bits = i32.add(i64x2.bits(less), i32.multiply(at(4), i64x2.bits(f64x2.atLeast(a, b))));
          const all = i64x2.all(i64x2.and(less, f64x2.more(b, a)));
          w.answer(i32.add(bits, i32.multiply(at(16), all)));
        },
      }),
    });
    new Float64Array(buffer, 0, 4).set([1.5, 8, 3, 2]);
    new Float32Array(buffer, 32, 2).set([0.25, -7]);
    // a = (1.5, 8), b = (2, 3): the first is less, the second at least.
    expect(run()).toBe(1 + 4 * 2);
    expect([...new Float64Array(buffer, 64, 12)]).toEqual([-0.5, 5, 1.5, 3, 2, 8, 0.25, -7, 8, 8, 1.5, 3]);
  });
});
