import { afterAll, describe, expect, it } from 'vitest';
import type { ClosedFormField, FieldAnswer } from '../../src/closed-form/closed-form-field.ts';
import { engineClosedForm } from '../../src/closed-form/engine-closed-form.ts';
import { hostClosedForm } from '../../src/closed-form/host-closed-form.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { dataRows } from './data-rows.ts';

const times = [0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99, 0.999, 1 - 1e-6];
const opened: ClosedFormField<Float32Array>[] = [];
afterAll(() => {
  for (const field of opened) field.release();
});

/** Normal data around a mean that is not 0; the last two are copies of the first, one of them a little off. */
function someData(count: number, elements: number): Float32Array {
  const seeds = Uint32Array.from({ length: count }, (_, row) => row);
  const data = normalsFromSeeds(seeds, elements).map((value) => 0.5 * value + 0.3);
  if (count < 3) return data;
  data.copyWithin((count - 1) * elements, 0, elements);
  data.copyWithin((count - 2) * elements, 0, elements);
  data[(count - 2) * elements]! += 1e-4;
  return data;
}

/** Points of the paths to some of the data, one a time. */
function pathPoints(data: Float32Array, elements: number): Float32Array {
  const noise = normalsFromSeeds(
    Uint32Array.from(times, (_, row) => 1e6 + row),
    elements,
  );
  return noise.map((value, i) => {
    const row = Math.floor(i / elements);
    const datum = (row * 97) % (data.length / elements);
    return times[row]! * data[datum * elements + (i % elements)]! + (1 - times[row]!) * value;
  });
}

async function fields(count: number, elements: number) {
  const data = someData(count, elements);
  const rows = dataRows(data, elements);
  const engine = await engineClosedForm(await openNativeRuntime({ threads: 2, spinning: false }), rows);
  opened.push(engine);
  return { engine, host: hostClosedForm(rows), x: pathPoints(data, elements) };
}

/** Largest distance of a row's velocities, relative to the norm of the expected one. */
function worstError(got: FieldAnswer<Float32Array>, expected: FieldAnswer<Float64Array>): number {
  const batch = got.nearest.length;
  const elements = got.velocity.length / batch;
  const errors = Array.from({ length: batch }, (_, row) => {
    let [squares, norm] = [0, 0];
    for (let i = row * elements; i < (row + 1) * elements; i++) {
      squares += (got.velocity[i]! - expected.velocity[i]!) ** 2;
      norm += expected.velocity[i]! ** 2;
    }
    return Math.sqrt(squares / norm);
  });
  return Math.max(...errors);
}

const time = Float64Array.from(times);

describe('engineClosedForm', () => {
  it.each([
    [1, 3],
    [37, 5],
    [5000, 2],
    [5000, 3],
    [2500, 64],
    [2100, 784],
    [300, 3072],
  ])('is the float64 field of %i data of %i numbers at all times', async (count, elements) => {
    const { engine, host, x } = await fields(count, elements);
    const got = await engine.evaluate(x, time);
    const expected = await host.evaluate(Float64Array.from(x), time);
    expect(worstError(got, expected)).toBeLessThan(1e-5);
    expect(got.nearest).toEqual(expected.nearest);
    for (const [row, value] of expected.logSumExp.entries()) {
      expect(Math.abs(got.logSumExp[row]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)));
      expect(Math.abs(got.largestWeight[row]! / expected.largestWeight[row]! - 1)).toBeLessThan(1e-4);
    }
  });

  it('is, restricted, the field of the data that remain', async () => {
    const { engine, host, x } = await fields(4500, 64);
    // None of the second block of 2,048.
    const rows = Uint32Array.from({ length: 1200 }, (_, i) => (i < 1000 ? 2 * i : 4097 + i - 1000));
    const [some, fewer] = [engine.restrictedTo(rows), engine.restrictedTo(rows).restrictedTo(rows.slice(0, 5))];
    const expected = await host.restrictedTo(rows).evaluate(Float64Array.from(x), time);
    const got = await some.evaluate(x, time);
    expect(worstError(got, expected)).toBeLessThan(1e-5);
    expect(got.nearest).toEqual(expected.nearest);
    expect([some.count, fewer.count]).toEqual([1200, 5]);
    const few = await host.restrictedTo(rows.slice(0, 5)).evaluate(Float64Array.from(x), time);
    expect(worstError(await fewer.evaluate(x, time), few)).toBeLessThan(1e-6);
  });

  it('answers a point the same whatever it is asked for with', async () => {
    const { engine, x } = await fields(2500, 64);
    const together = await engine.evaluate(x, time);
    for (const row of [1, 3, 7]) {
      const alone = await engine.evaluate(x.slice(row * 64, (row + 1) * 64), time.slice(row, row + 1));
      const part = together.velocity.slice(row * 64, (row + 1) * 64);
      for (const [k, value] of part.entries()) {
        expect(Math.abs(alone.velocity[k]! - value)).toBeLessThan(1e-5 * Math.hypot(...part));
      }
    }
  });

  it('answers requests of more points than fit, and several at once', async () => {
    const { engine, host } = await fields(400, 3);
    const x = normalsFromSeeds(
      Uint32Array.from({ length: 300 }, (_, i) => i),
      3,
    );
    const at = new Float64Array(300).fill(0.4);
    const [first, second] = await Promise.all([engine.evaluate(x, at), engine.evaluate(x, at)]);
    expect(first).toEqual(second);
    expect(worstError(first!, await host.evaluate(Float64Array.from(x), at))).toBeLessThan(1e-6);
  });
});
