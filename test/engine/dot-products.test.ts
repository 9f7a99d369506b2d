import { afterAll, describe, expect, it } from 'vitest';
import { engineDotProducts, engineDoubleProducts } from '../../src/engine/dot-products.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { hostDotProducts } from '../../src/numerics/dot-products.ts';
import { hostDoubleProducts } from '../../src/numerics/double-products.ts';
import { stream } from '../../src/numerics/stream.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

function matrix(rows: number, elements: number, index: number): Float32Array {
  const random = stream(1, 'dot-products', index);
  return Float32Array.from({ length: rows * elements }, () => random.normal());
}

describe('dot products by the engine', () => {
  it('are those of the host, for many shapes and in any order of calls', async () => {
    const engine = engineDotProducts(runtime);
    // More shapes than are kept, two of them again.
    const shapes = Array.from({ length: 10 }, (_, i) => [1 + ((3 * i) % 7), 1 + ((5 * i) % 11), 2 + i] as const);
    const wanted = [...shapes, shapes[0], shapes[9]];
    const all = wanted.map(async ([rows, columns, elements], i) => {
      const [a, b] = [matrix(rows, elements, 2 * i), matrix(columns, elements, 2 * i + 1)];
      const [got, expected] = [await engine.products(a, b, elements), await hostDotProducts(a, b, elements)];
      expect(got).toHaveLength(rows * columns);
      for (const [k, value] of got.entries()) expect(value).toBeCloseTo(expected[k], 4);
    });
    await Promise.all(all);
    engine.release();
  });

  it('are the same bits each time', async () => {
    const engine = engineDotProducts(runtime);
    const [a, b] = [matrix(32, 100, 1), matrix(48, 100, 2)];
    const first = await engine.products(a, b, 100);
    for (let run = 0; run < 3; run++) expect(await engine.products(a, b, 100)).toEqual(first);
    engine.release();
  });

  it('in float64 are those of the host, for more shapes than are kept', async () => {
    const engine = engineDoubleProducts(runtime);
    const double = (rows: number, elements: number, index: number) => {
      const random = stream(5, 'double-products', index);
      return Float64Array.from({ length: rows * elements }, () => random.normal());
    };
    for (let i = 0; i < 11; i++) {
      const [rows, columns, elements] = [1 + ((3 * i) % 7), 1 + ((5 * i) % 11), 2 + (i % 10)];
      const [a, b] = [double(rows, elements, 2 * i), double(columns, elements, 2 * i + 1)];
      const [got, expected] = [await engine.products(a, b, elements), await hostDoubleProducts(a, b, elements)];
      expect(got).toHaveLength(rows * columns);
      for (const [k, value] of got.entries()) expect(value).toBeCloseTo(expected[k], 13);
    }
    engine.release();
  });
});
