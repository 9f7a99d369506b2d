import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineArgmaxProducts } from '../../src/engine/argmax-products.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import { hostArgmaxProducts } from '../../src/numerics/argmax-products.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { stream } from '../../src/numerics/stream.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ provider: 'cpu', threads: 2, spinning: false });
});
afterAll(() => runtime.release());

const normals = (rows: number, elements: number, first: number) =>
  normalsFromSeeds(
    Uint32Array.from({ length: rows }, (_, row) => first + row),
    elements,
  );

function keptRows(data: Float32Array, elements: number) {
  return {
    count: data.length / elements,
    elements,
    read: (first: number, rows: number) => Promise.resolve(data.slice(first * elements, (first + rows) * elements)),
  };
}

describe('products with kept rows', () => {
  // Sizes around the height of a block and the size of a chunk.
  it.each([
    [1, 3, 5],
    [2, 1, 8],
    [2047, 5, 9],
    [2048, 4, 1],
    [2049, 4, 256],
    [5000, 7, 300],
  ])('of %i rows of %i numbers, asked for %i, are those of the reference', async (count, elements, asked) => {
    const kept = keptRows(normals(count, elements, 1), elements);
    const noise = normals(asked, elements, 1_000_000);
    const random = stream(count, 'offsets');
    const offsets = Float32Array.from({ length: count }, () => random.normal());
    const [engine, host] = [await engineArgmaxProducts(runtime, kept), await hostArgmaxProducts(kept)];
    for (const products of [engine, host]) products.setOffsets(offsets);
    for (const antithetic of [false, true]) {
      const [found, expected] = [await engine.argmax(noise, { antithetic }), await host.argmax(noise, { antithetic })];
      expect(found.rows.length).toBe(antithetic ? 2 * asked : asked);
      for (const [i, margin] of expected.margins.entries()) {
        // Scores that float32 cannot tell apart may go to either.
        if (margin > 1e-4) expect(found.rows[i]).toBe(expected.rows[i]);
        expect(Math.abs(found.scores[i]! - expected.scores[i]!)).toBeLessThan(1e-4);
        if (count > 1) expect(Math.abs(found.margins[i]! - margin)).toBeLessThan(1e-4);
      }
    }
    engine.release();
  });

  it('give the first of equal rows, in one block and across blocks', async () => {
    const elements = 3;
    const distinct = normals(2100, elements, 5);
    const data = new Float32Array(3 * distinct.length);
    for (const copy of [0, 1, 2]) data.set(distinct, copy * distinct.length);
    const engine = await engineArgmaxProducts(runtime, keptRows(data, elements));
    const { rows, margins } = await engine.argmax(normals(200, elements, 9));
    expect(Math.max(...rows)).toBeLessThan(2100);
    expect([...margins].every((margin) => margin === 0)).toBe(true);
    engine.release();
  });

  it('never give the rows that fill a block up, however low the offsets', async () => {
    const engine = await engineArgmaxProducts(runtime, keptRows(normals(2050, 2, 0), 2));
    engine.setOffsets(new Float32Array(2050).fill(-1e30));
    const { rows } = await engine.argmax(normals(64, 2, 77));
    expect(Math.max(...rows)).toBeLessThan(2050);
    engine.release();
  });

  it('serve questions asked at once in order', async () => {
    const kept = keptRows(normals(3000, 6, 0), 6);
    const engine = await engineArgmaxProducts(runtime, kept);
    const questions = [7, 64, 31].map((asked, index) => normals(asked, 6, 1000 * (index + 9)));
    const together = await Promise.all(questions.map((noise) => engine.argmax(noise)));
    for (const [index, noise] of questions.entries()) expect(await engine.argmax(noise)).toEqual(together[index]);
    engine.release();
  });

  it('refuse other numbers of offsets and noises that do not fill rows', async () => {
    const kept = keptRows(normals(4, 3, 0), 3);
    for (const products of [await engineArgmaxProducts(runtime, kept), await hostArgmaxProducts(kept)]) {
      expect(() => products.setOffsets(new Float32Array(5))).toThrow(/`offsets` to be \[count\] = \[4\]; got 5/);
      expect(() => products.argmax(new Float32Array(4))).toThrow(/`noise` to be \[rows, 3\]; got 4/);
      products.release();
    }
  });
});
