import { afterAll, describe, expect, it } from 'vitest';
import { engineDotProducts } from '../../src/engine/dot-products.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { ConfigError, NumericalError, ShapeError } from '../../src/errors.ts';
import { distanceTiles, type RowSet, rowSet, squaredDistance } from '../../src/numerics/distance-tiles.ts';
import type { DotProducts } from '../../src/numerics/dot-products.ts';
import { hostDotProducts } from '../../src/numerics/dot-products.ts';
import { ballCounts, nearestNeighbours, neighboursOf } from '../../src/numerics/nearest-neighbours.ts';
import { stream } from '../../src/numerics/stream.ts';

const runtime = await openNativeRuntime({ threads: 1 });
const engine = engineDotProducts(runtime);
afterAll(() => {
  engine.release();
  runtime.release();
});

function points(count: number, elements: number, { index = 0, mean = 0 } = {}): Float32Array {
  const random = stream(3, 'neighbours', index);
  return Float32Array.from({ length: count * elements }, () => mean + random.normal());
}

/** Products as wrong as a float32 sum in the worst order can be. */
const worstProducts: DotProducts = async (a, b, elements) => {
  const exact = await hostDotProducts(a, b, elements);
  const norm = (x: Float32Array, row: number) => Math.hypot(...x.subarray(row * elements, (row + 1) * elements));
  const columns = b.length / elements;
  return exact.map((value, at) => {
    const bound = elements * 2 ** -24 * norm(a, Math.floor(at / columns)) * norm(b, at % columns);
    return value + (at % 2 ? 0.9 : -0.9) * bound;
  });
};

/** All neighbours by sorting all distances. */
function byBruteForce(queries: RowSet, data: RowSet, { k, self }: { k: number; self: boolean }) {
  return Array.from({ length: queries.count }, (_, i) =>
    Array.from({ length: data.count }, (_, j) => ({ j, square: squaredDistance(queries, data, { i, j }) }))
      .filter(({ j }) => !self || j !== i)
      .sort((a, b) => a.square - b.square || a.j - b.j)
      .slice(0, k),
  );
}

const ways = {
  plainly: {},
  'in small tiles': { tileRows: 13, tileColumns: 29 },
  'by the engine': { products: engine.products },
  'by the engine in small tiles': { products: engine.products, tileRows: 64, tileColumns: 100 },
  'with the worst rounding': { products: worstProducts },
};

describe('nearest neighbours', () => {
  it('tell how many tiles are done, and end when they are interrupted', async () => {
    const [data, queries] = [rowSet(points(50, 3), 3), rowSet(points(20, 3, { index: 1 }), 3)];
    const done: string[] = [];
    const onTile = (now: number, count: number) => void done.push(`${now}/${count}`);
    const options = { k: 2, tileRows: 10, tileColumns: 20 };
    await nearestNeighbours(queries, data, { ...options, onTile });
    expect(done).toEqual(['1/6', '2/6', '3/6', '4/6', '5/6', '6/6']);
    const signal = AbortSignal.abort();
    await expect(nearestNeighbours(queries, data, { ...options, signal })).rejects.toThrow('abort');
  });

  it('leave out the point itself where queries are the first of the points', async () => {
    const values = points(40, 3);
    const [all, few] = [rowSet(values, 3), rowSet(values.subarray(0, 5 * 3), 3)];
    const whole = await nearestNeighbours(all, all, { k: 2, excludeSelf: true });
    const part = await nearestNeighbours(few, all, { k: 2, excludeSelf: true });
    expect(part).toEqual(neighboursOf(whole, 0, 5));
  });

  it.each(Object.entries(ways))('%s are those of brute force, equals in order', async (_name, options) => {
    // Far from 0, where products lose digits, and with rows that occur twice.
    const values = points(400, 21, { mean: 50 });
    values.set(values.subarray(0, 21 * 20), 21 * 200);
    const data = rowSet(values, 21);
    const queries = rowSet(points(150, 21, { index: 1, mean: 50 }), 21);
    for (const [from, self] of [
      [data, true],
      [queries, false],
    ] as const) {
      const { indices, squaredDistances } = await nearestNeighbours(from, data, {
        k: 4,
        excludeSelf: self,
        ...options,
      });
      const expected = byBruteForce(from, data, { k: 4, self }).flat();
      expect([...indices]).toEqual(expected.map(({ j }) => j));
      expect([...squaredDistances]).toEqual(expected.map(({ square }) => square));
    }
  });

  it('are exact on a grid of equal distances and for points that are all the same', async () => {
    const grid = rowSet(
      Float64Array.from({ length: 100 }, (_, i) => i >> 1),
      1,
    );
    const { indices } = await nearestNeighbours(grid, grid, { k: 99, excludeSelf: true, tileRows: 7, tileColumns: 9 });
    const expected = byBruteForce(grid, grid, { k: 99, self: true }).flat();
    expect([...indices]).toEqual(expected.map(({ j }) => j));
    const same = rowSet(new Float32Array(60).fill(7), 3);
    const all = await nearestNeighbours(same, same, { k: 2 });
    expect([...all.indices]).toEqual(Array.from({ length: 40 }, (_, at) => at % 2));
    expect(all.squaredDistances.every((square) => square === 0)).toBe(true);
  });

  it('refuse a k that the points do not allow, other rows, and numbers that are not finite', async () => {
    const data = rowSet(points(5, 3), 3);
    for (const k of [0, 5, 1.5]) {
      await expect(nearestNeighbours(data, data, { k, excludeSelf: true })).rejects.toThrow(ConfigError);
    }
    await expect(nearestNeighbours(rowSet(points(4, 2), 2), data, { k: 1 })).rejects.toThrow(ShapeError);
    expect(() => rowSet(new Float32Array(7), 3)).toThrow(ShapeError);
    const wrong = points(5, 3);
    wrong[4] = Number.NaN;
    await expect(nearestNeighbours(rowSet(wrong, 3), data, { k: 1 })).rejects.toThrow(NumericalError);
  });
});

describe('tiles of distances', () => {
  it.each(Object.entries(ways))('%s hold true bounds on their errors', async (_name, options) => {
    const [a, b] = [rowSet(points(60, 33, { mean: 10 }), 33), rowSet(points(90, 33, { index: 2, mean: 9 }), 33)];
    let pairs = 0;
    for await (const tile of distanceTiles(a, b, options)) {
      for (let i = 0; i < tile.rows; i++) {
        for (let j = 0; j < tile.columns; j++) {
          const exact = squaredDistance(a, b, { i: tile.firstRow + i, j: tile.firstColumn + j });
          const at = i * tile.columns + j;
          expect(Math.abs(tile.squares[at]! - exact)).toBeLessThanOrEqual(tile.errors[at]!);
          expect(tile.errors[at]).toBeLessThan(0.01 * exact);
          pairs++;
        }
      }
    }
    expect(pairs).toBe(60 * 90);
  });
});

describe('counts of balls', () => {
  it.each(Object.entries(ways))('%s are those of brute force, at the radius too', async (_name, options) => {
    const [queries, centres] = [rowSet(points(80, 6), 6), rowSet(points(70, 6, { index: 3 }), 6)];
    // Each radius is the distance of one query: that one decides between open and closed balls.
    const squaredRadii = Float64Array.from({ length: 70 }, (_, j) => squaredDistance(queries, centres, { i: j, j }));
    for (const closed of [true, false]) {
      const got = await ballCounts(queries, centres, { squaredRadii, closed, ...options });
      const expected = Array.from({ length: 80 }, (_, i) => {
        let count = 0;
        for (let j = 0; j < 70; j++) {
          const square = squaredDistance(queries, centres, { i, j });
          if (square < squaredRadii[j]! || (closed && square === squaredRadii[j])) count++;
        }
        return count;
      });
      expect([...got]).toEqual(expected);
    }
  });
});
