import { describe, expect, it } from 'vitest';
import { matchedDistance } from '../../src/analysis/matched-distance.ts';
import { ShapeError } from '../../src/errors.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { sortedPairing } from '../../src/numerics/transport-1d.ts';
import { permutations } from '../numerics/transport-problems.ts';

const rows = (from: number, count: number, elements: number) =>
  normalsFromSeeds(
    Uint32Array.from({ length: count }, (_, i) => from + i),
    elements,
  );

describe('the distance of matched samples', () => {
  it('is the root of the mean squared norm, 0 for equal samples', () => {
    const a = Float32Array.of(0, 0, 1, 1);
    const b = Float32Array.of(3, 4, 1, 2);
    const { rootMeanSquare, square } = matchedDistance(a, b, 2);
    expect(square).toMatchObject({ mean: 13, count: 2 });
    expect(rootMeanSquare).toBeCloseTo(Math.sqrt(13), 12);
    expect(matchedDistance(a, a, 2).rootMeanSquare).toBe(0);
  });

  it('is not below W2, which is that of the best pairing', () => {
    const [a, b] = [rows(0, 6, 3), rows(100, 6, 3)];
    const squares = permutations(6).map((order) => {
      const moved = Float32Array.from(b, (_, i) => b[3 * order[Math.floor(i / 3)]! + (i % 3)]!);
      return matchedDistance(a, moved, 3).rootMeanSquare;
    });
    expect(matchedDistance(a, b, 3).rootMeanSquare).toBeGreaterThan(Math.min(...squares));
    const [x, y] = [rows(7, 50, 1), rows(300, 50, 1)];
    const { partner } = sortedPairing(x, y);
    const best = matchedDistance(
      x,
      Float32Array.from(x, (_, i) => y[partner[i]!]!),
      1,
    );
    expect(matchedDistance(x, y, 1).rootMeanSquare).toBeGreaterThan(best.rootMeanSquare);
    // An increasing map is the best pairing itself.
    const doubled = x.map((value) => 2 * value);
    const pairing = sortedPairing(x, doubled).partner;
    expect([...pairing]).toEqual(Array.from(x, (_, i) => i));
  });

  it('wants sets of one size', () => {
    expect(() => matchedDistance(rows(0, 2, 2), rows(0, 3, 2), 2)).toThrow(ShapeError);
    expect(() => matchedDistance(rows(0, 3, 1), rows(0, 3, 1), 2)).toThrow(ShapeError);
    expect(() => matchedDistance(new Float32Array(0), new Float32Array(0), 2)).toThrow(ShapeError);
  });
});
