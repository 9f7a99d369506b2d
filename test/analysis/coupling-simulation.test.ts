import { describe, expect, it } from 'vitest';
import {
  type SimulatedEpoch,
  type SimulationOptions,
  simulateCoupling,
} from '../../src/analysis/coupling-simulation.ts';
import type { Coupling } from '../../src/coupling/coupling.ts';
import { independentCoupling } from '../../src/coupling/independent.ts';
import { loomCoupling } from '../../src/coupling/loom.ts';
import { wholeCostOf } from '../../src/coupling/whole-cost.ts';
import { batchesOf, normalData, plainLoom, tools } from '../coupling/pairing-tools.ts';

const data = normalData(60, 4, { spread: 0.5 });

async function simulated(coupling: Coupling, change: Partial<SimulationOptions> = {}) {
  const options: SimulationOptions = {
    seed: 1,
    epochs: 3,
    batch: 12,
    count: 60,
    cost: 'squared',
    next: batchesOf(data, 12),
    wholeCost: null,
    ...change,
  };
  const epochs: SimulatedEpoch[] = [];
  for await (const epoch of simulateCoupling(coupling, options)) epochs.push(epoch);
  return epochs;
}

const loom = () =>
  loomCoupling({
    options: plainLoom,
    data,
    tools,
    seed: 1,
  });

describe('a coupling without a network', () => {
  it('is told epoch by epoch: mean cost of the batches, reassignments, cost of all that is kept', async () => {
    const coupling = loom();
    const costs: number[] = [];
    const whole = async () => {
      costs.push((await wholeCostOf(coupling.kept!(), { data, seed: 1, cost: 'squared' })).cost);
      return costs.at(-1)!;
    };
    const images: number[] = [];
    const epochs = await simulated(coupling, { wholeCost: whole, onBatch: (done) => images.push(done) });
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(epochs.map(({ wholeCost }) => wholeCost)).toEqual(costs);
    expect(images).toEqual(Array.from({ length: 15 }, (_, i) => 12 * (i + 1)));
    // One cache and whole batches: every pair of the set is in one batch of the epoch.
    for (const { batchCost, wholeCost } of epochs) expect(batchCost).toBeCloseTo(wholeCost!, 9);
    expect(costs[2]).toBeLessThan(costs[0]);
    expect(epochs[2].reassigned).toBeLessThan(epochs[0].reassigned);
  });

  it('costs as theory says where pairs are independent', async () => {
    const [{ batchCost, standardError, reassigned }] = await simulated(independentCoupling(), { epochs: 1 });
    // E|x - z|^2 over the set: 4 for the noise, and the mean square of the data.
    const rows = await data.read(
      Uint32Array.from({ length: 60 }, (_, i) => i),
      new Uint8Array(60),
    );
    const expected = 4 + rows.reduce((sum, value) => sum + value * value, 0) / 60;
    expect(Math.abs(batchCost - expected)).toBeLessThan(4 * standardError);
    expect(reassigned).toBe(0);
  });

  it('stops when it is told to, and refuses batches larger than the set', async () => {
    const controller = new AbortController();
    const onBatch = () => controller.abort();
    await expect(simulated(loom(), { signal: controller.signal, onBatch })).rejects.toThrow('abort');
    await expect(simulated(loom(), { batch: 61 })).rejects.toThrow("at most the set's 60 images; got 61");
  });
});
