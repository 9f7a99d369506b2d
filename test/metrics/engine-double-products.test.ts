import { afterAll, describe, expect, it } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { engineDoubleProducts } from '../../src/metrics/engine-double-products.ts';
import { hostDoubleProducts } from '../../src/numerics/double-products.ts';
import { stream } from '../../src/numerics/stream.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

function matrix(rows: number, elements: number, index: number): Float64Array {
  const random = stream(5, 'double-products', index);
  return Float64Array.from({ length: rows * elements }, () => random.normal());
}

describe('float64 products by the engine', () => {
  it('are those of the host, for more shapes than are kept and in any order of calls', async () => {
    const engine = engineDoubleProducts(runtime);
    const shapes = Array.from({ length: 7 }, (_, i) => [1 + ((3 * i) % 7), 1 + ((5 * i) % 11), 2 + i] as const);
    const all = [...shapes, shapes[0]!, shapes[6]!].map(async ([rows, columns, elements], i) => {
      const [a, b] = [matrix(rows, elements, 2 * i), matrix(columns, elements, 2 * i + 1)];
      const [got, expected] = [await engine.products(a, b, elements), await hostDoubleProducts(a, b, elements)];
      expect(got).toHaveLength(rows * columns);
      for (const [k, value] of got.entries()) expect(value).toBeCloseTo(expected[k]!, 13);
    });
    await Promise.all(all);
    engine.release();
  });
});
