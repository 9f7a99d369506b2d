import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClosedFormField } from '../../src/closed-form/closed-form-field.ts';
import { hostClosedForm } from '../../src/closed-form/host-closed-form.ts';
import { ConfigError } from '../../src/errors.ts';
import { openExactField, roundedField } from '../../src/experiments/exact-field.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { closedFormFlow } from '../../src/sampling/closed-form-flow.ts';
import { type LatentSamples, type SampleRequest, type Sampler, samplerOf } from '../../src/sampling/sampler.ts';
import type { InitialValueProblem } from '../../src/sampling/solvers/solver.ts';
import { SOLVERS } from '../../src/sampling/solvers/solver-table.ts';
import { cosineGrid } from '../../src/sampling/time-grid.ts';
import { dataRows } from '../closed-form/data-rows.ts';

const [count, elements, classes] = [60, 3, 3];
const data = normalsFromSeeds(
  Uint32Array.from({ length: count }, (_, i) => 100 + i),
  elements,
);
/** Data 0, 3, ... are of class 0, and so on. */
const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
const ofClass = (label: number) =>
  Float32Array.from({ length: data.length / classes }, (_, i) => {
    const row = Math.floor(i / elements) * classes + label;
    return data[row * elements + (i % elements)]!;
  });
const host = roundedField(hostClosedForm(dataRows(data, elements)));

let field: ClosedFormField<Float32Array>;
beforeAll(async () => {
  field = await openExactField(dataRows(data, elements), { runtime: { threads: 1 } });
});
afterAll(() => field.release());

const flowOf = (batch: number, of = field) => closedFormFlow(of, { labels, classes, batch, lastStep: 1e-4 });
const usual = { solver: SOLVERS.midpoint, grid: cosineGrid(20), guidance: 1, labels: null };

async function collect(sampler: Sampler, request: SampleRequest): Promise<LatentSamples[]> {
  const parts: LatentSamples[] = [];
  for await (const part of sampler.sample(request)) parts.push(part);
  return parts;
}

const points = normalsFromSeeds(Uint32Array.of(1, 2, 3, 4), elements);
const time = Float64Array.of(0, 0.3, 0.6, 0.9);
const active = new Uint8Array(4).fill(1);
const velocityOf = (given: Int32Array | null, guidance: number, of = host) =>
  flowOf(4, of).velocity({ labels: given, guidance })(points, time, active);

describe('the velocity of the exact field', () => {
  it('with labels is that of the data with each label; the null class is all data', async () => {
    const velocity = await velocityOf(Int32Array.of(2, 0, classes, 2), 1);
    const parts = [ofClass(2), ofClass(0), data, ofClass(2)];
    for (const [row, part] of parts.entries()) {
      const own = roundedField(hostClosedForm(dataRows(part, elements)));
      const { velocity: wanted } = await own.evaluate(
        points.slice(row * elements, (row + 1) * elements),
        time.slice(row, row + 1),
      );
      expect(velocity.slice(row * elements, (row + 1) * elements)).toEqual(wanted);
    }
  });

  it.each([0, 2.5, -1])('guided with weight %d is u + w (u_label - u)', async (weight) => {
    const given = Int32Array.of(1, 0, 2, 1);
    const all = await velocityOf(null, 1);
    const own = await velocityOf(given, 1);
    const guided = await velocityOf(given, weight, field);
    expect(own).not.toEqual(all);
    guided.forEach((value, i) => {
      const wanted = all[i]! + weight * (own[i]! - all[i]!);
      expect(Math.abs(value - wanted)).toBeLessThan(1e-4 * (1 + Math.abs(wanted)));
    });
  });

  it('asks for data of every label', () => {
    const flow = closedFormFlow(host, { labels, classes: 5, batch: 1, lastStep: 0.1 });
    expect(() => flow.velocity({ labels: Int32Array.of(4), guidance: 1 })).toThrow(
      'Expected data with label 4; got none.',
    );
    const unlabelled = closedFormFlow(host, { labels: null, classes: null, batch: 1, lastStep: 0.1 });
    const request = { ...usual, seeds: Uint32Array.of(1), labels: Int32Array.of(0) };
    expect(() => samplerOf(unlabelled).sample(request)).toThrow(ConfigError);
  });
});

describe('a sample of the exact field', () => {
  const seeds = Uint32Array.from({ length: 13 }, (_, i) => 4_000_000_000 + i);
  const joined = (parts: readonly LatentSamples[]) => parts.flatMap(({ latents }) => [...latents]);

  it('is a datum, of its label where it has one', async () => {
    for (const given of [null, Int32Array.from(seeds, (_, i) => i % classes)]) {
      const latents = Float32Array.from(
        joined(await collect(samplerOf(flowOf(16)), { ...usual, seeds, labels: given })),
      );
      for (const row of seeds.keys()) {
        const sample = latents.subarray(row * elements, (row + 1) * elements);
        const among = given === null ? data : ofClass(given[row]!);
        const distances = Array.from({ length: among.length / elements }, (_, i) =>
          Math.hypot(...sample.map((value, k) => value - among[i * elements + k]!)),
        );
        expect(Math.min(...distances)).toBeLessThan(1e-5);
      }
    }
  });

  it('agrees with the float64 field in float64', async () => {
    const grid = cosineGrid(20).map((t) => 0.9 * t);
    const exact = hostClosedForm(dataRows(data, elements));
    const x0 = Float64Array.from(normalsFromSeeds(seeds, elements));
    const problem64: InitialValueProblem<Float64Array> = {
      field: async (x, at) => (await exact.evaluate(x, at)).velocity,
      x0,
      batch: seeds.length,
    };
    const reference = await usual.solver.solve(problem64, grid);
    const [problem] = samplerOf(flowOf(seeds.length)).problems({ seeds, labels: null, guidance: 1 });
    expect(problem!.x0).toEqual(normalsFromSeeds(seeds, elements));
    const { x } = await usual.solver.solve(problem!, grid);
    for (const [i, value] of x.entries()) expect(Math.abs(value - reference.x[i]!)).toBeLessThan(1e-4);
  });

  it.each(['midpoint', 'dopri5'] as const)('by %s depends on its seed and label, not on the batch', async (name) => {
    // Enough data that sums over many of them are products of the runtime.
    const many = normalsFromSeeds(
      Uint32Array.from({ length: 1500 }, (_, i) => i),
      8,
    );
    const large = await openExactField(dataRows(many, 8), { runtime: { threads: 2 } });
    const ofData = Int32Array.from({ length: 1500 }, (_, i) => i % classes);
    const latents = async (batch: number, given: Int32Array | null) => {
      const flow = closedFormFlow(large, { labels: ofData, classes, batch, lastStep: 1e-2 });
      const request = { ...usual, solver: SOLVERS[name], seeds, labels: given };
      return joined(await collect(samplerOf(flow), request));
    };
    for (const given of [null, Int32Array.from(seeds, (_, i) => (i * i) % (classes + 1))]) {
      const [few, more] = [await latents(4, given), await latents(32, given)];
      for (const [i, value] of few.entries()) expect(Math.abs(value - more[i]!)).toBeLessThan(1e-4);
    }
    large.release();
  });

  it('ends with the reason of its signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(collect(samplerOf(flowOf(4)), { ...usual, seeds, signal })).rejects.toThrow('enough');
  });
});
