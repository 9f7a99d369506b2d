import { describe, expect, it } from 'vitest';
import { alignment, collapseTime, histogram, shareAbove } from '../../src/analysis/alignment.ts';
import { hostClosedForm } from '../../src/closed-form/host-closed-form.ts';
import { roundedField } from '../../src/experiments/exact-field.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { dataRows } from '../closed-form/data-rows.ts';

const [count, elements] = [300, 6];
const data = normalsFromSeeds(Uint32Array.of(1), count * elements);
const source = normalsFromSeeds(Uint32Array.of(2), count * elements);
const rows = Uint32Array.from({ length: count }, (_, row) => row);
const field = roundedField(hostClosedForm(dataRows(data, elements)));

describe('alignment', () => {
  it('is 1 at all times where there is one datum, and so is its weight', async () => {
    const one = data.slice(0, elements);
    const alone = roundedField(hostClosedForm(dataRows(one, elements)));
    for (const time of [0, 0.3, 0.9]) {
      const pairs = { source: source.slice(0, elements), target: one, rows: Uint32Array.of(0) };
      const { cosines, ownWeights } = await alignment(alone, pairs, time);
      expect(cosines[0]).toBeCloseTo(1, 6);
      expect(ownWeights[0]).toBe(1);
    }
  });

  it('goes from that of the mean of the data at time 0 to 1', async () => {
    const pairs = { source, target: data, rows };
    const at = async (time: number) => shareAbove((await alignment(field, pairs, time)).cosines, 0.9);
    const shares = [await at(0), await at(0.999)];
    expect(shares[0]).toBeLessThan(0.5);
    expect(shares[1]).toBe(1);
    const start = await alignment(field, pairs, 0);
    const mean = Array.from(
      { length: elements },
      (_, k) => data.reduce((s, v, i) => s + (i % elements === k ? v : 0), 0) / count,
    );
    const [u, v] = [mean.map((m, k) => m - source[k]!), mean.map((_, k) => data[k]! - source[k]!)];
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, k) => sum + value * b[k]!, 0);
    expect(start.cosines[0]).toBeCloseTo(dot(u, v) / Math.sqrt(dot(u, u) * dot(v, v)), 6);
  });

  it("knows the weight of a pair's own datum, largest or not", async () => {
    const time = 0.4;
    const { ownWeights } = await alignment(field, { source, target: data, rows }, time);
    let smaller = 0;
    for (const row of [0, 1, 2, 3, 4, 5, 255, 256, 299]) {
      const weights = Array.from({ length: count }, (_, i) => {
        let squares = 0;
        for (let k = 0; k < elements; k++) {
          const x = (1 - time) * source[row * elements + k]! + time * data[row * elements + k]!;
          squares += (x - time * data[i * elements + k]!) ** 2;
        }
        return Math.exp(-squares / (2 * (1 - time) ** 2));
      });
      if (Math.max(...weights) > weights[row]!) smaller++;
      const total = weights.reduce((a, b) => a + b, 0);
      expect(ownWeights[row]).toBeCloseTo(weights[row]! / total, 6);
    }
    expect(smaller).toBeGreaterThan(0);
  });
});

describe('collapseTime', () => {
  it('is the first time at which more than half of the pairs are aligned', () => {
    expect(collapseTime([0, 0.1, 0.2, 0.3], [0.1, 0.5, 0.51, 0.4])).toBe(0.2);
    expect(collapseTime([0, 0.1], [0.6, 0.7])).toBe(0);
    expect(collapseTime([0, 0.1], [0.6, 0.7], 0.65)).toBe(0.1);
    expect(collapseTime([0, 0.1], [0.5, 0.2])).toBeNull();
  });

  it('counts cosines above the limit alone', () => {
    expect(shareAbove([0.9, 0.91, 0.2, 1], 0.9)).toBe(0.5);
  });
});

describe('histogram', () => {
  it('counts every value once, the upper end in the last part', () => {
    expect(histogram([-1, -0.5, 0, 0.2, 1, 1], { from: -1, to: 1, parts: 4 }).counts).toEqual([1, 1, 2, 2]);
    expect(() => histogram([1.5], { from: -1, to: 1, parts: 4 })).toThrow('Expected values in [-1, 1]; got 1.5');
    expect(() => histogram([Number.NaN], { from: -1, to: 1, parts: 4 })).toThrow('got NaN');
  });
});
