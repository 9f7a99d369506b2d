import { describe, expect, it } from 'vitest';
import { fieldError, type PairVelocity } from '../../src/analysis/field-error.ts';
import { hostClosedForm } from '../../src/closed-form/host-closed-form.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { dataRows } from '../closed-form/data-rows.ts';

const [pairs, elements] = [50, 3];
const source = normalsFromSeeds(Uint32Array.of(1), pairs * elements);
const target = normalsFromSeeds(Uint32Array.of(2), pairs * elements);
const data = normalsFromSeeds(Uint32Array.of(3), 20 * elements);
const exact = hostClosedForm(dataRows(data, elements));
const times = [0, 0.25, 0.5, 0.9];
const points = { source, target, elements, times };

const reference: PairVelocity = async (x, time) => (await exact.evaluate(Float64Array.from(x), time)).velocity;

describe('fieldError', () => {
  it('is 0 between a field and itself', async () => {
    for (const { error, referenceSquare } of await fieldError({ field: reference, reference }, points)) {
      expect([error.mean, error.standardError, error.count]).toEqual([0, 0, pairs]);
      expect(referenceSquare.mean).toBeGreaterThan(0);
    }
  });

  it('is the mean square of what is added to a field, pair by pair', async () => {
    const shift = (pair: number) => pair / 10;
    const field: PairVelocity = async (x, time, { first }) =>
      Float64Array.from(await reference(x, time, { first, count: time.length }), (value, i) => {
        return value + shift(first + Math.floor(i / elements));
      });
    const expected = Array.from({ length: pairs }, (_, pair) => shift(pair) ** 2);
    const mean = expected.reduce((a, b) => a + b, 0) / pairs;
    const deviation = Math.sqrt(expected.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (pairs - 1));
    for (const [i, { time, error }] of (await fieldError({ field, reference }, points, { batch: 7 })).entries()) {
      expect(time).toBe(times[i]);
      expect(error.mean).toBeCloseTo(mean, 10);
      expect(error.standardError).toBeCloseTo(deviation / Math.sqrt(pairs), 10);
    }
  });

  it('does not depend on how many points are asked for at once', async () => {
    const field: PairVelocity = async (x) => x;
    const whole = await fieldError({ field, reference }, points);
    for (const batch of [1, 7, 49]) expect(await fieldError({ field, reference }, points, { batch })).toEqual(whole);
  });

  it('asks for the points of the path: the noise at time 0, and straight on from there', async () => {
    const asked: Float32Array[] = [];
    const field: PairVelocity = async (x) => {
      asked.push(x);
      return x;
    };
    await fieldError({ field, reference: field }, { ...points, times: [0, 0.5] });
    expect(asked[0]).toEqual(source);
    for (const [i, value] of asked[2].entries()) expect(value).toBeCloseTo((source[i] + target[i]) / 2, 6);
  });

  it('tells how far it is', async () => {
    const seen: number[][] = [];
    const onProgress = (done: number, count: number) => void seen.push([done, count]);
    await fieldError({ field: reference, reference }, { ...points, times: [0, 0.5] }, { batch: 25, onProgress });
    expect(seen).toEqual([1, 2, 3, 4].map((done) => [done, 4]));
  });

  it('says what does not fit', async () => {
    const fields = { field: reference, reference };
    await expect(fieldError(fields, { ...points, source: source.slice(1) })).rejects.toThrow('[pairs, elements]');
    const short: PairVelocity = async () => new Float64Array(2);
    await expect(fieldError({ field: short, reference }, points)).rejects.toThrow('at least 150 numbers; got 2');
  });
});
