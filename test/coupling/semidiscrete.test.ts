import { describe, expect, it } from 'vitest';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { permutation } from '../../src/numerics/permutation.ts';
import { stream } from '../../src/numerics/stream.ts';
import { batchOf, couplingOf, dataOfRows, eighthOf, eighths, fitted, lineCost } from './semidiscrete-problems.ts';

const line = [-3, -2.2, -0.9, -0.4, 0.3, 1, 1.5, 4];
const column = [-1, -0.6, -0.2, 0.2, 0.9, 1.4, 2, 2.5];
/** Data in a random order, so that nothing follows from it. */
const shuffled = <T>(values: readonly T[]) =>
  [...permutation(values.length, stream(5, 'order'))].map((i) => values[i]!);
const points = shuffled(line.map((x) => [x]));
const grid = shuffled(line.flatMap((x) => column.map((y) => [x, y])));

describe('the fit', () => {
  it('on a line finds the potentials whose cells are the quantiles of the normal distribution', async () => {
    const { state } = await fitted(dataOfRows(points), { noisesPerImage: 20_000 });
    const potentials = state().averaged as Float64Array;
    const order = [...potentials.keys()].sort((a, b) => points[a]![0]! - points[b]![0]!);
    for (const [i, quantile] of eighths.entries()) {
      const [low, high] = [order[i]!, order[i + 1]!];
      const boundary = (potentials[low]! - potentials[high]!) / (points[high]![0]! - points[low]![0]!);
      expect(Math.abs(boundary - quantile)).toBeLessThan(0.015);
    }
  });

  it('on a grid sends noise to the product of quantiles, at the cost of both axes', async () => {
    const data = dataOfRows(grid);
    const { pair, wholeCost } = await fitted(data, { noisesPerImage: 4000 });
    const { source, target } = await pair(await batchOf(data, 2000), { seed: 1, imagesSeen: 0 });
    const expected = Array.from({ length: 2000 }, (_, row) => [
      line[eighthOf(source[2 * row]!)]!,
      column[eighthOf(source[2 * row + 1]!)]!,
    ]);
    const right = expected.filter(
      ([x, y], row) => target[2 * row] === Math.fround(x!) && target[2 * row + 1] === Math.fround(y!),
    );
    expect(right.length / 2000).toBeGreaterThan(0.95);
    const { cost, standardError, chiSquared } = await wholeCost();
    expect(Math.abs(cost - lineCost(line) - lineCost(column))).toBeLessThan(4 * standardError);
    expect(Math.abs(chiSquared!.value)).toBeLessThan(4 * chiSquared!.standardError + 0.01);
  });

  it('makes shares more equal the longer it lasts', async () => {
    const rows = Array.from({ length: 300 }, (_, i) =>
      [...normalsFromSeeds(Uint32Array.of(i), 6)].map((x) => x * (1 + (i % 3))),
    );
    const shares = async (noisesPerImage: number) =>
      (await (await fitted(dataOfRows(rows), { noisesPerImage })).wholeCost()).chiSquared!;
    const [short, long] = [await shares(2), await shares(100)];
    expect(short.value).toBeGreaterThan(0.3);
    expect(long.value).toBeLessThan(0.05);
  });

  it('interrupted at any part is bit for bit the uninterrupted one', async () => {
    const data = dataOfRows(grid, { labels: grid.map(([x]) => (x! > 0 ? 1 : 0)) });
    for (const perClass of [false, true]) {
      const whole = await fitted(data, { perClass });
      let parts = couplingOf(data, { perClass });
      let count = 0;
      while (parts.preliminary.done < parts.preliminary.total) {
        await parts.advance();
        count += 1;
        const next = couplingOf(data, { perClass });
        next.restore(parts.state());
        expect(next.preliminary.done).toBe(parts.preliminary.done);
        parts = next;
      }
      expect(count).toBeGreaterThan(10);
      expect(parts.state()).toEqual(whole.state());
      const batch = await batchOf(data, 16);
      const context = { seed: 1, imagesSeen: 32 };
      expect(await parts.pair(batch, context)).toEqual(await whole.pair(batch, context));
      expect(await parts.wholeCost()).toEqual(await whole.wholeCost());
    }
  });

  it('of one datum and of equal data ends with finite potentials', async () => {
    for (const rows of [
      [[1, 2]],
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
    ]) {
      const { state } = await fitted(dataOfRows(rows));
      expect([...(state().averaged as Float64Array)].every(Number.isFinite)).toBe(true);
    }
  });
});

describe('a pairing', () => {
  it('takes fresh standard normal noise, a function of the run and the images seen', async () => {
    const data = dataOfRows(grid);
    const { pair } = await fitted(data);
    const batch = await batchOf(data, 4000);
    const { source, seeds } = await pair(batch, { seed: 1, imagesSeen: 0 });
    expect(source).toEqual(normalsFromSeeds(seeds, 2));
    const mean = source.reduce((sum, z) => sum + z, 0) / source.length;
    const square = source.reduce((sum, z) => sum + z * z, 0) / source.length;
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(source.length));
    expect(Math.abs(square - 1)).toBeLessThan(4 * Math.sqrt(2 / source.length));
    expect((await pair(batch, { seed: 1, imagesSeen: 0 })).source).toEqual(source);
    expect((await pair(batch, { seed: 1, imagesSeen: 4000 })).source).not.toEqual(source);
  });

  it('returns data of the set with their labels, and tells what it cost', async () => {
    const data = dataOfRows(grid, { labels: grid.map((_, i) => i) });
    const { pair } = await fitted(data);
    const batch = await batchOf(data, 32);
    const { source, target, labels, cost, report } = await pair(batch, { seed: 1, imagesSeen: 0 });
    const distance = (of: Float32Array, row: number) =>
      (of[2 * row]! - source[2 * row]!) ** 2 + (of[2 * row + 1]! - source[2 * row + 1]!) ** 2;
    for (const [row, label] of labels.entries()) {
      expect([...target.subarray(2 * row, 2 * row + 2)]).toEqual(grid[label]!.map(Math.fround));
      expect(cost![row]).toBeCloseTo(distance(target, row), 10);
    }
    const mean = (values: Iterable<number>) => [...values].reduce((sum, one) => sum + one, 0) / 32;
    expect(report!.rows).toBe(32);
    expect(report!.reassigned).toBe([...labels].filter((label, row) => label !== batch.indices[row]).length);
    expect(report!.cost).toBeCloseTo(mean(cost!), 10);
    expect(report!.costBefore).toBeCloseTo(mean([...labels.keys()].map((row) => distance(batch.target, row))), 10);
    expect(report!.cost).toBeLessThan(report!.costBefore);
  });

  it('by label leaves the noise of each label standard normal, and draws labels by their frequency', async () => {
    const labelOf = ([x]: readonly number[]) => (x! > 0.5 ? 1 : 0);
    const data = dataOfRows(grid, { labels: grid.map(labelOf) });
    const batch = await batchOf(data, 8000);
    for (const perClass of [true, false]) {
      const { pair } = await fitted(data, { perClass, noisesPerImage: 500 });
      const { source, target, labels } = await pair(batch, { seed: 1, imagesSeen: 0 });
      const ones = [...labels.keys()].filter((row) => labels[row] === 1);
      expect(ones.every((row) => target[2 * row]! > 0.5)).toBe(true);
      expect(Math.abs(ones.length / 8000 - 3 / 8)).toBeLessThan(0.015);
      const mean = ones.reduce((sum, row) => sum + source[2 * row]!, 0) / ones.length;
      // All together, the label with the larger numbers gets the larger noises.
      if (perClass) expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(ones.length));
      else expect(mean).toBeGreaterThan(0.5);
    }
  });

  it('counts mirrored data as data of their own', async () => {
    const data = dataOfRows([[1], [3]], { mirrored: true });
    const { pair, state } = await fitted(data, { noisesPerImage: 5000 });
    expect(state().potentials).toHaveLength(4);
    const { source, target } = await pair(await batchOf(data, 400), { seed: 1, imagesSeen: 0 });
    const expected = [...source].map((z) => (Math.abs(z) > 0.6744897501960817 ? 3 : 1) * Math.sign(z));
    const right = expected.filter((x, row) => x === target[row]);
    expect(right.length / 400).toBeGreaterThan(0.95);
  });
});

describe('the coupling', () => {
  it('refuses data that do not fit in memory', () => {
    expect(() => couplingOf(dataOfRows(grid, { mirrored: true }), { memoryBytes: 512 })).toThrow(
      /latents of the data to fit in `coupling.memoryBytes`.*`data.flip` false/,
    );
    expect(() => couplingOf(dataOfRows(grid), { memoryBytes: 512 })).not.toThrow();
  });

  it('refuses states of other couplings', () => {
    const { restore, state } = couplingOf(dataOfRows(points));
    const own = state();
    expect(() => restore({})).toThrow(/potentials, averaged, progress; got nothing/);
    expect(() => restore({ ...own, seeds: new Uint32Array(1) })).toThrow(/also `seeds`/);
    expect(() => restore({ ...own, averaged: new Float64Array(9) })).toThrow(/8 numbers of averaged; got 9/);
    expect(() => restore({ ...own, potentials: new Float64Array(8).fill(Number.NaN) })).toThrow(/finite/);
    expect(() => restore({ ...own, progress: new Float64Array(6) })).toThrow(/3 numbers of progress; got 6/);
    expect(() => restore(own)).not.toThrow();
  });
});
