import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError, NumericalError, ShapeError } from '../../src/errors.ts';
import { mulberry32Array } from '../../src/numerics/mulberry32.ts';
import { sortedPairing, transport1d } from '../../src/numerics/transport-1d.ts';
import { costFrom, leastMeanCost, randomMasses } from './transport-problems.ts';

interface GoldenLine {
  readonly seeds: readonly [number, number, number | null, number | null];
  readonly rows: number;
  readonly columns: number;
  readonly power: number;
  readonly cost: number;
}

interface GoldenGaussians {
  readonly bins: number;
  readonly means: readonly [number, number];
  readonly deviation: number;
  readonly cost: number;
}

const goldens: { readonly lines: readonly GoldenLine[]; readonly gaussians: GoldenGaussians } = JSON.parse(
  readFileSync(new URL('../golden/sinkhorn.json', import.meta.url), 'utf8'),
);

const points = (seed: number, count: number) => mulberry32Array(seed, count).map((u) => 2 * u - 1);

describe('the sorted pairing', () => {
  it.each([1, 1.5, 2, 3, 7])('is the best of all pairings for the power %d', (power) => {
    for (let n = 1; n <= 7; n++) {
      const [x, y] = [points(n, n), points(50 + n, n)];
      const cost = costFrom(n, n, (i, j) => Math.abs(x[i]! - y[j]!) ** power);
      const pairing = sortedPairing(x, y, { power });
      expect(pairing.cost).toBeCloseTo(leastMeanCost(cost), 12);
      expect([...pairing.partner].sort()).toEqual(Array.from({ length: n }, (_, i) => i));
      const mean = pairing.partner.reduce((sum, j, i) => sum + cost.values[i * n + j]!, 0) / n;
      expect(mean).toBeCloseTo(pairing.cost, 12);
    }
  });

  it('pairs equal points in the order of their indices', () => {
    expect([...sortedPairing([1, 0, 1, 0], [5, 5, 4, 4]).partner]).toEqual([0, 2, 1, 3]);
  });

  it('of a shifted sample costs the shift to the power', () => {
    const x = points(1, 100);
    const { partner, cost } = sortedPairing(
      x,
      x.map((value) => value + 10),
      { power: 3 },
    );
    expect(cost).toBeCloseTo(1000, 9);
    expect([...partner]).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });
});

describe('transport on the line', () => {
  it.each(goldens.lines)(
    "of $rows to $columns points at power $power costs what POT's general solver finds",
    (golden) => {
      const { seeds, rows, columns, power, cost } = golden;
      const transport = transport1d(points(seeds[0], rows), points(seeds[1], columns), {
        power,
        ...(seeds[2] === null ? {} : { xMass: randomMasses(seeds[2], rows) }),
        ...(seeds[3] === null ? {} : { yMass: randomMasses(seeds[3], columns) }),
      });
      expect(transport.cost).toBeCloseTo(cost, 12);
    },
  );

  it('between normal densities 100 bins apart costs 100', () => {
    const { bins, means, deviation, cost } = goldens.gaussians;
    const positions = Float64Array.from({ length: bins }, (_, i) => i);
    const [xMass, yMass] = means.map((mean) => {
      const density = positions.map((bin) => Math.exp(-((bin - mean) ** 2) / (2 * deviation ** 2)));
      const sum = density.reduce((a, b) => a + b, 0);
      return density.map((value) => value / sum);
    }) as [Float64Array, Float64Array];
    const transport = transport1d(positions, positions, { power: 1, xMass, yMass });
    expect(transport.cost).toBeCloseTo(100, 7);
    expect(transport.cost).toBeCloseTo(cost, 7);
  });

  it('moves all the mass, by at most n + m - 1 pairs, along a monotone path', () => {
    const [xMass, yMass] = [randomMasses(3, 17), randomMasses(4, 29)];
    const [x, y] = [points(1, 17), points(2, 29)];
    const { from, to, mass, cost } = transport1d(x, y, { xMass, yMass, power: 1.5 });
    expect(from.length).toBeLessThanOrEqual(17 + 29 - 1);
    const [left, arrived] = [new Float64Array(17), new Float64Array(29)];
    let sum = 0;
    for (let k = 0; k < mass.length; k++) {
      left[from[k]!]! += mass[k]!;
      arrived[to[k]!]! += mass[k]!;
      sum += mass[k]! * Math.abs(x[from[k]!]! - y[to[k]!]!) ** 1.5;
      if (k === 0) continue;
      expect(x[from[k]!]!).toBeGreaterThanOrEqual(x[from[k - 1]!]!);
      expect(y[to[k]!]!).toBeGreaterThanOrEqual(y[to[k - 1]!]!);
    }
    for (const [i, given] of xMass.entries()) expect(left[i]).toBeCloseTo(given, 12);
    for (const [j, given] of yMass.entries()) expect(arrived[j]).toBeCloseTo(given, 12);
    expect(sum).toBeCloseTo(cost, 12);
  });

  it('of equally many equal masses is the sorted pairing', () => {
    const [x, y] = [points(5, 40), points(6, 40)];
    const { from, to, cost } = transport1d(x, y);
    const pairing = sortedPairing(x, y);
    expect(cost).toBeCloseTo(pairing.cost, 12);
    expect(from.length).toBe(40);
    for (let k = 0; k < 40; k++) expect(to[k]).toBe(pairing.partner[from[k]!]);
  });

  it('from a distribution to itself costs nothing', () => {
    const x = points(7, 25);
    expect(transport1d(x, x, { power: 1 }).cost).toBe(0);
    expect(sortedPairing(x, x).cost).toBe(0);
  });
});

describe('a mistake', () => {
  it.each([
    [() => sortedPairing([1, 2], [1]), ShapeError, 'equally many points; got 2 and 1'],
    [() => sortedPairing([], []), ShapeError, '`x` to hold points'],
    [() => transport1d([1], []), ShapeError, '`y` to hold points'],
    [() => sortedPairing([1, Number.NaN], [1, 2]), NumericalError, '`x` to be finite; got NaN at 1'],
    [() => sortedPairing([1], [1], { power: 0.5 }), ConfigError, '`power`'],
    [() => transport1d([1], [1], { power: Number.POSITIVE_INFINITY }), ConfigError, '`power`'],
    [() => transport1d([1, 2], [1], { xMass: [1] }), ShapeError, '`xMass` to be [2]'],
    [() => transport1d([1, 2], [1], { xMass: [1, 1] }), ConfigError, 'the same total mass; got 2 and 1'],
    [() => transport1d([1, 2], [1], { xMass: [2, -1] }), ConfigError, '`xMass`'],
  ])('is named: %s', (attempt, kind, message) => {
    expect(attempt).toThrow(kind);
    expect(attempt).toThrow(message);
  });
});
