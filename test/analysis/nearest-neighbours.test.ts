import { describe, expect, it } from 'vitest';
import { nearestNeighbours, neighboursWithin } from '../../src/analysis/nearest-neighbours.ts';
import { engineDotProducts } from '../../src/engine/dot-products.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { type DotProducts, hostDotProducts as products } from '../../src/numerics/dot-products.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { dataRows } from '../closed-form/data-rows.ts';

const elements = 7;
const data = normalsFromSeeds(Uint32Array.of(1), 2300 * elements);
const queries = normalsFromSeeds(Uint32Array.of(2), 300 * elements);

/** All distances of a query, sorted, nearest first and of equals the first. */
function bruteForce(query: Float32Array, values: Float32Array, without = -1) {
  const found = Array.from({ length: values.length / query.length }, (_, row) => {
    let sum = 0;
    for (let k = 0; k < query.length; k++) sum += (values[row * query.length + k]! - query[k]!) ** 2;
    return { row, distance: Math.sqrt(sum) };
  });
  return found.filter(({ row }) => row !== without).sort((a, b) => a.distance - b.distance || a.row - b.row);
}

async function expectBruteForce(given: DotProducts, values: Float32Array, asked: Float32Array) {
  const count = 3;
  const found = await nearestNeighbours(dataRows(values, elements), asked, { products: given, count });
  for (let query = 0; query < asked.length / elements; query++) {
    const least = bruteForce(asked.subarray(query * elements, (query + 1) * elements), values).slice(0, count);
    expect([...found.rows.subarray(query * count, (query + 1) * count)]).toEqual(least.map(({ row }) => row));
    for (const [i, { distance }] of least.entries()) expect(found.distances[query * count + i]).toBe(distance);
  }
}

describe('nearestNeighbours', () => {
  it('are those of brute force, over several blocks and chunks, by products of the host', () =>
    expectBruteForce(products, data, queries));

  it('are those of brute force by products of the engine, far from the origin too, where float32 loses most digits', async () => {
    const runtime = await openNativeRuntime({ provider: 'cpu', threads: 1, spinning: false });
    const engine = engineDotProducts(runtime);
    const far = (values: Float32Array) => values.map((value) => Math.fround(300 + value));
    await expectBruteForce(engine.products, data, queries);
    await expectBruteForce(engine.products, far(data), far(queries));
    engine.release();
    runtime.release();
  });

  it('take the first of equal data, and the second one next, at distance 0 exactly', async () => {
    const twice = Float32Array.of(1.1, 2.2, 5, 5, 1.1, 2.2);
    const found = await nearestNeighbours(dataRows(twice, 2), Float32Array.of(1.1, 2.2), { products, count: 3 });
    expect([...found.rows]).toEqual([0, 2, 1]);
    expect([...found.distances.subarray(0, 2)]).toEqual([0, 0]);
  });

  it('leave one out', async () => {
    const some = data.slice(0, 40 * elements);
    const found = await neighboursWithin(dataRows(some, elements), { products, count: 2 });
    for (let row = 0; row < 40; row++) {
      const least = bruteForce(some.subarray(row * elements, (row + 1) * elements), some, row);
      expect([...found.rows.subarray(2 * row, 2 * row + 2)]).toEqual([least[0]!.row, least[1]!.row]);
    }
    const few = await neighboursWithin(dataRows(some, elements), { products, most: 5 });
    expect([...few.distances]).toEqual([0, 1, 2, 3, 4].map((row) => found.distances[2 * row]));
  });

  it('tell their progress and end when they are interrupted', async () => {
    const done: string[] = [];
    const onProgress = (now: number, count: number) => void done.push(`${now}/${count}`);
    await nearestNeighbours(dataRows(data, elements), queries, { products, onProgress });
    expect(done).toEqual(['1/6', '2/6', '3/6', '4/6', '5/6', '6/6']);
    const signal = AbortSignal.abort();
    await expect(nearestNeighbours(dataRows(data, elements), queries, { products, signal })).rejects.toThrow('abort');
  });

  it('say what is wrong with a request', async () => {
    const rows = dataRows(data.slice(0, 2 * elements), elements);
    const query = queries.slice(0, elements);
    await expect(nearestNeighbours(rows, query, { products, count: 3 })).rejects.toThrow('Expected 1 to 2 neighbours');
    await expect(neighboursWithin(rows, { products, count: 2 })).rejects.toThrow('Expected 1 to 1 neighbours');
    await expect(nearestNeighbours(rows, query.slice(1), { products })).rejects.toThrow('queries of 7 elements');
    const without = Uint32Array.of(0, 1);
    await expect(nearestNeighbours(rows, query, { products, without })).rejects.toThrow('[queries] = [1]');
  });
});
