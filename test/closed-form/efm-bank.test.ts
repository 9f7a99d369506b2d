import { describe, expect, it } from 'vitest';
import { bankDraws } from '../../src/closed-form/efm-bank.ts';
import { stream } from '../../src/numerics/stream.ts';

const count = 12;
const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
const members = { count, labels };
const perSample = (candidates: number) => bankDraws(members, { candidates, kind: 'per-sample' });
const shared = (candidates: number) => bankDraws(members, { candidates, kind: 'shared' });
const rows = { numbers: Uint32Array.of(4, 0, 7), labels: [null, null, null] };

describe('banks', () => {
  it('hold so many data with x1, each once and never x1 twice', () => {
    const draw = perSample(5);
    for (let seed = 0; seed < 50; seed++) {
      const banks = draw(rows, stream(seed, 'bank'));
      for (const [row, bank] of banks.entries()) {
        expect(bank).toHaveLength(4);
        expect(new Set([rows.numbers[row], ...bank]).size).toBe(5);
        expect(Math.max(...bank)).toBeLessThan(count);
      }
    }
  });

  it('are functions of the stream alone, whatever was drawn before', () => {
    for (const draw of [perSample(5), shared(4)]) {
      const first = draw(rows, stream(1, 'bank', 64));
      draw(rows, stream(1, 'bank', 128));
      draw({ ...rows, labels: [1, 0, null] }, stream(1, 'bank', 192));
      expect(draw(rows, stream(1, 'bank', 64))).toEqual(first);
      expect(draw(rows, stream(1, 'bank', 128))).not.toEqual(first);
    }
  });

  it('hold every datum equally often, whatever is left out', () => {
    const draw = perSample(4);
    const random = stream(5, 'bank');
    const draws = 20_000;
    const counts = new Float64Array(count);
    for (let i = 0; i < draws; i++) {
      for (const number of draw({ numbers: Uint32Array.of(7), labels: [null] }, random)[0]!) counts[number]!++;
    }
    const probability = 3 / (count - 1);
    const deviation = Math.sqrt(draws * probability * (1 - probability));
    expect(counts[7]).toBe(0);
    for (const [number, times] of counts.entries()) {
      if (number !== 7) expect(Math.abs(times - draws * probability)).toBeLessThan(4.5 * deviation);
    }
  });

  it('are of the label that the model is told, and of all data where it is told none', () => {
    const told = { numbers: Uint32Array.of(4, 0, 7, 5), labels: [1, 0, null, 2] };
    for (const draw of [perSample(4), shared(2)]) {
      for (let seed = 0; seed < 20; seed++) {
        const banks = draw(told, stream(seed, 'bank'));
        for (const row of [0, 1, 3]) {
          expect(banks[row]!.length).toBeGreaterThanOrEqual(2);
          for (const number of banks[row]!) expect(labels[number]).toBe(told.labels[row]);
        }
      }
      const mixed = Array.from({ length: 20 }, (_, seed) => draw(told, stream(seed, 'bank'))[2]!).map(
        (bank) => new Set(Array.from(bank, (number) => labels[number])).size,
      );
      expect(Math.max(...mixed)).toBeGreaterThan(1);
    }
  });

  it('hold all data of the label where so many are wanted', () => {
    expect([...perSample(count)(rows, stream(1, 'bank'))[0]!].sort((a, b) => a - b)).toEqual([
      0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11,
    ]);
    expect([...perSample(9)({ ...rows, labels: [1, 0, 1] }, stream(1, 'bank'))[0]!].sort((a, b) => a - b)).toEqual([
      1, 7, 10,
    ]);
  });

  it('are, shared, the same draw beside all data of the batch', () => {
    const banks = shared(4)(rows, stream(3, 'bank'));
    const whole = banks.map((bank, row) => [...bank, rows.numbers[row]!].sort((a, b) => a - b));
    expect(whole[0]).toHaveLength(7);
    expect(whole[1]).toEqual(whole[0]);
    expect(whole[2]).toEqual(whole[0]);
    for (const number of rows.numbers) expect(whole[0]).toContain(number);
    // A datum that is twice in the batch counts once.
    const twice = shared(4)({ ...rows, numbers: Uint32Array.of(4, 4, 7) }, stream(3, 'bank'));
    expect(twice[0]).toHaveLength(5);
    expect(new Set(twice[0]).size).toBe(5);
  });
});
