import { describe, expect, it } from 'vitest';
import { logDensity } from '../../src/closed-form/closed-form-field.ts';
import { hostClosedForm } from '../../src/closed-form/host-closed-form.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { dataRows } from './data-rows.ts';

const [count, elements] = [37, 5];
const data = normalsFromSeeds(Uint32Array.of(3), count * elements);
const field = hostClosedForm(dataRows(data, elements));
const x = Float64Array.from(normalsFromSeeds(Uint32Array.of(4), 3 * elements));

/** The field at one point by the formula as it is printed. */
function plainField(point: Float64Array, t: number, rows: readonly number[]): number[] {
  const weights = rows.map((row) => {
    const squares = point.reduce((sum, value, k) => sum + (value - t * data[row * elements + k]!) ** 2, 0);
    return Math.exp(-squares / (2 * (1 - t) ** 2));
  });
  const total = weights.reduce((a, b) => a + b, 0);
  return Array.from(point, (value, k) =>
    rows.reduce((sum, row, i) => sum + ((weights[i]! / total) * (data[row * elements + k]! - value)) / (1 - t), 0),
  );
}

describe('hostClosedForm', () => {
  it('is the softmax-weighted mean of the velocities to the data', async () => {
    const time = Float64Array.of(0.1, 0.5, 0.8);
    const { velocity } = await field.evaluate(x, time);
    const all = Array.from({ length: count }, (_, row) => row);
    for (const [row, t] of time.entries()) {
      const point = x.slice(row * elements, (row + 1) * elements);
      for (const [k, value] of plainField(point, t, all).entries()) {
        expect(velocity[row * elements + k]).toBeCloseTo(value, 12);
      }
    }
  });

  it('does not depend on the size of blocks', async () => {
    const time = Float64Array.of(0.2, 0.6, 0.99);
    const whole = await field.evaluate(x, time);
    for (const blockRows of [1, 2, 7, 36]) {
      const part = await hostClosedForm(dataRows(data, elements), { blockRows }).evaluate(x, time);
      for (const [i, value] of whole.velocity.entries()) {
        expect(Math.abs(part.velocity[i]! - value)).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(value)));
      }
      for (const [row, value] of whole.logSumExp.entries()) {
        expect(Math.abs(part.logSumExp[row]! - value)).toBeLessThanOrEqual(1e-12 * Math.abs(value));
      }
      expect(part.nearest).toEqual(whole.nearest);
    }
  });

  it('is the mean of the data minus x at time 0', async () => {
    const { velocity, largestWeight } = await field.evaluate(x, new Float64Array(3));
    for (const [i, value] of x.entries()) {
      let mean = 0;
      for (let row = 0; row < count; row++) mean += data[row * elements + (i % elements)]! / count;
      expect(velocity[i]).toBeCloseTo(mean - value, 13);
    }
    for (const weight of largestWeight) expect(weight).toBeCloseTo(1 / count, 14);
  });

  it('is the velocity to the nearest datum as time goes to 1', async () => {
    for (const distance of [1e-3, 1e-9, 1e-14]) {
      const t = 1 - distance;
      const { velocity, largestWeight, nearest } = await field.evaluate(x, Float64Array.of(t, t, t));
      for (let row = 0; row < 3; row++) {
        expect(largestWeight[row]).toBe(1);
        for (let k = 0; k < elements; k++) {
          const i = row * elements + k;
          expect(velocity[i]! * (1 - t)).toBeCloseTo(data[nearest[row]! * elements + k]! - x[i]!, 13);
        }
      }
    }
  });

  it('is, restricted, the field of the data that remain, under their old numbers', async () => {
    const rows = Uint32Array.of(30, 4, 11);
    const part = field.restrictedTo(rows);
    const { velocity, nearest } = await part.evaluate(x.slice(0, elements), Float64Array.of(0.4));
    expect(part.count).toBe(3);
    expect([...rows]).toContain(nearest[0]);
    for (const [k, value] of plainField(x.slice(0, elements), 0.4, [...rows]).entries()) {
      expect(velocity[k]).toBeCloseTo(value, 12);
    }
    expect(part.restrictedTo(Uint32Array.of(4, 5)).count).toBe(1);
  });

  it('tells a density that integrates to 1', async () => {
    const line = hostClosedForm(dataRows(Float32Array.of(-1, 0.5, 2), 1));
    const steps = 4001;
    const points = Float64Array.from({ length: steps }, (_, i) => -10 + (20 * i) / (steps - 1));
    const time = new Float64Array(steps).fill(0.6);
    const { logSumExp } = await line.evaluate(points, time);
    const total = logDensity(logSumExp, time, line).reduce((sum, value) => sum + Math.exp(value), 0);
    expect((total * 20) / (steps - 1)).toBeCloseTo(1, 10);
  });

  it('says what is wrong with a request', async () => {
    await expect(field.evaluate(x, Float64Array.of(0, 0.5, 1))).rejects.toThrow('Expected `time` in [0, 1)');
    await expect(field.evaluate(x, Float64Array.of(0.5))).rejects.toThrow('[batch, elements] = [1, 5]');
    expect(() => field.restrictedTo(Uint32Array.of(37))).toThrow('Expected rows below 37; got 37');
    expect(() => field.restrictedTo(new Uint32Array())).toThrow('at least one row');
  });
});
