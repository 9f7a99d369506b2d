import { describe, expect, it } from 'vitest';
import type { BankKind } from '../../src/closed-form/efm-bank.ts';
import { type EfmTarget, efmTarget } from '../../src/closed-form/efm-batch.ts';
import type { EfmBatch, EfmTools } from '../../src/closed-form/efm-data.ts';
import { hostClosedForm } from '../../src/closed-form/host-closed-form.ts';
import { engineDotProducts } from '../../src/engine/dot-products.ts';
import { engineKeptMatrix } from '../../src/engine/kept-matrix.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { stream } from '../../src/numerics/stream.ts';
import { dataRows } from './data-rows.ts';
import { efmDataIn, hostTools } from './efm-data-of.ts';

const [count, elements, rows] = [300, 24, 16];
/** Clusters, so that some data are near each other. */
const data = normalsFromSeeds(Uint32Array.of(3), count * elements).map(
  (value, i) => 0.5 * value + 2 * Math.sin(1 + (Math.floor(i / elements) % 7) * (1 + (i % elements))),
);
const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
const set = efmDataIn(data, elements, labels);

async function batchAt(time: Float32Array, seed = 1): Promise<EfmBatch> {
  const random = stream(seed, 'batch');
  const indices = Uint32Array.from({ length: rows }, () => random.below(count));
  const source = normalsFromSeeds(Uint32Array.of(seed), rows * elements);
  const flipped = new Uint8Array(rows);
  return { source, target: await set.read(indices), time, indices, flipped, labels: Array(rows).fill(null) };
}

/** Times from 0 to nearly 1. */
const times = Float32Array.from({ length: rows }, (_, i) => (i < rows - 1 ? i / (rows - 1) : 1 - 2 ** -24));

const openTarget = (
  options: { candidates: number; bank?: BankKind; memoryBytes?: number },
  tools: EfmTools = hostTools,
): EfmTarget => efmTarget({ bank: 'per-sample', memoryBytes: 2 ** 30, ...options }, { data: set, tools, seed: 1 });

/** Differs by at most a share of the largest value of the row, or of 1e-3, beside velocities of about 1. */
function expectNear(got: Float32Array, wanted: Float32Array, share: number): void {
  for (let row = 0; row < rows; row++) {
    const span = [row * elements, (row + 1) * elements] as const;
    const line = wanted.subarray(...span);
    const largest = line.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-3);
    for (const [k, value] of got.subarray(...span).entries()) {
      expect(Math.abs(value - line[k]!), `row ${row}, ${k}`).toBeLessThanOrEqual(share * largest);
    }
  }
}

describe('targets of a batch', () => {
  it('are those of flow matching where a bank is x1 alone', async () => {
    const { correction, report } = await openTarget({ candidates: 1 }).correct(await batchAt(times), 0);
    expect(correction).toEqual(new Float32Array(rows * elements));
    expect(report).toEqual({ candidates: 1, effective: 1, weight: 1 });
  });

  it('are the exact field where a bank is all data, one of their own or shared', async () => {
    const batch = await batchAt(times);
    const field = hostClosedForm(dataRows(data, elements));
    const time = Float64Array.from(times);
    const x = Float64Array.from(batch.target, (x1, i) => {
      const t = time[Math.floor(i / elements)]!;
      return (1 - t) * batch.source[i]! + t * x1;
    });
    const { velocity } = await field.evaluate(x, time);
    for (const bank of ['per-sample', 'shared'] as const) {
      const { correction, report } = await openTarget({ candidates: count, bank }).correct(batch, 0);
      expect(report.candidates).toBe(count);
      const exact = Float32Array.from(velocity, (value, i) => value - (batch.target[i]! - batch.source[i]!));
      // As much as float32 sums and logits from float32 products leave.
      for (const [i, value] of correction.entries()) expect(Math.abs(value - exact[i]!)).toBeLessThan(2e-4);
    }
  });

  it('do not depend on the route: rows read one by one, the whole set in memory, products with it, and the engine', async () => {
    const runtime = await openNativeRuntime({ provider: 'cpu', threads: 1, spinning: false });
    const engine: EfmTools = {
      products: engineDotProducts(runtime).products,
      openMatrix: (options) => engineKeptMatrix(runtime, options),
    };
    const batch = await batchAt(times);
    // Few candidates are multiplied by themselves, many in products of the whole set.
    for (const [candidates, bank] of [
      [4, 'per-sample'],
      [60, 'per-sample'],
      [100, 'per-sample'],
      [300, 'per-sample'],
      [40, 'shared'],
      [300, 'shared'],
    ] as const) {
      const exactly = await openTarget({ candidates, bank: 'per-sample', memoryBytes: 1 }).correct(batch, 64);
      const wanted =
        bank === 'per-sample' ? exactly : await openTarget({ candidates, bank, memoryBytes: 1 }).correct(batch, 64);
      for (const tools of [hostTools, engine]) {
        const { correction, report } = await openTarget({ candidates, bank }, tools).correct(batch, 64);
        expectNear(correction, wanted.correction, 3e-4);
        expect(report.candidates).toBe(wanted.report.candidates);
        expect(report.weight).toBeCloseTo(wanted.report.weight, 4);
        expect(report.effective / wanted.report.effective).toBeCloseTo(1, 3);
      }
    }
    runtime.release();
  });

  it('keep a copy of x1 from showing at late times, where 1 / (1 - t) is large', async () => {
    const copies = efmDataIn(
      data.map((_, i) => data[i % (3 * elements)]!),
      elements,
    );
    const batch = await batchAt(new Float32Array(rows).fill(1 - 1e-5));
    const own = { ...batch, target: await copies.read(batch.indices) };
    const options = { candidates: 60, bank: 'per-sample', memoryBytes: 2 ** 30 } as const;
    const target = efmTarget(options, { data: copies, tools: hostTools, seed: 1 });
    const { correction, report } = await target.correct(own, 0);
    expect(report.effective).toBeGreaterThan(10);
    expect(correction).toEqual(new Float32Array(rows * elements));
  });

  it('are a function of the seed and the images seen', async () => {
    const batch = await batchAt(times);
    const target = openTarget({ candidates: 20 });
    const first = await target.correct(batch, 64);
    const second = await target.correct(batch, 128);
    expect(second.correction).not.toEqual(first.correction);
    expect(await openTarget({ candidates: 20 }).correct(batch, 128)).toEqual(second);
    expect(await target.correct(batch, 64)).toEqual(first);
  });

  it('are of the labels that the model is told: the exact field of their data where a bank is all of them', async () => {
    const batch = await batchAt(times.map((t) => 0.8 * t));
    const told = Array.from(batch.indices, (index, row) => (row % 4 === 0 ? null : labels[index]!));
    const { correction } = await openTarget({ candidates: count }).correct({ ...batch, labels: told }, 0);
    const whole = hostClosedForm(dataRows(data, elements));
    for (const [row, label] of told.entries()) {
      const members = Uint32Array.from({ length: count }, (_, i) => i).filter(
        (i) => label === null || labels[i] === label,
      );
      const span = [row * elements, (row + 1) * elements] as const;
      const t = batch.time[row]!;
      const [x0, x1] = [batch.source.subarray(...span), batch.target.subarray(...span)];
      const x = Float64Array.from(x1, (value, k) => (1 - t) * x0[k]! + t * value);
      const { velocity } = await whole.restrictedTo(members).evaluate(x, Float64Array.of(t));
      for (const [k, value] of velocity.entries()) {
        expect(Math.abs(x1[k]! - x0[k]! + correction[span[0] + k]! - value)).toBeLessThan(2e-4);
      }
    }
  });

  it('report fewer effective data and more weight of x1 as time goes on', async () => {
    const target = openTarget({ candidates: 50 });
    const reports = [];
    for (const time of [0, 0.1, 0.3, 0.6, 0.99]) {
      reports.push((await target.correct(await batchAt(new Float32Array(rows).fill(time)), 0)).report);
    }
    expect(reports[0]!.effective).toBeCloseTo(50, 8);
    expect(reports[0]!.weight).toBeCloseTo(1 / 50, 8);
    for (let i = 1; i < reports.length; i++) {
      expect(reports[i]!.effective).toBeLessThan(reports[i - 1]!.effective);
      expect(reports[i]!.weight).toBeGreaterThan(reports[i - 1]!.weight);
    }
    expect(reports.at(-1)!.weight).toBeGreaterThan(0.99);
  });
});
