import { describe, expect, it } from 'vitest';
import { independentCoupling } from '../../src/coupling/independent.ts';
import { stream } from '../../src/numerics/stream.ts';
import { logitNormalTime } from '../../src/path/time-sampling.ts';
import { batchInputs, type LatentBatch, type PreparationParts } from '../../src/training/batches.ts';

const parts: PreparationParts = {
  coupling: independentCoupling(),
  time: logitNormalTime(),
  classes: 10,
  labelDropout: 0.1,
  jitter: false,
  seed: 1,
};

function batchOf(rows: number): LatentBatch {
  const random = stream(1, 'labels');
  return {
    target: Float32Array.from({ length: rows * 3 }, (_, i) => i),
    labels: Int32Array.from({ length: rows }, () => random.below(10)),
    indices: Uint32Array.from({ length: rows }, (_, i) => i),
    flipped: new Uint8Array(rows),
  };
}

/** Inputs of a batch after its pairing. */
async function inputsOf(batch: LatentBatch, imagesSeen: number, { coupling, ...rest }: PreparationParts) {
  const pairing = await coupling.pair(batch, { seed: rest.seed, imagesSeen });
  return batchInputs(pairing, imagesSeen, { coupling, ...rest });
}

describe('a prepared batch', () => {
  it('is a function of the seed and the images seen before it', async () => {
    const batch = batchOf(16);
    const all = { ...parts, jitter: true, labelDropout: 0.5 };
    const inputs = await inputsOf(batch, 320, all);
    expect(await inputsOf(batch, 320, all)).toEqual(inputs);
    const later = await inputsOf(batch, 336, all);
    const reseeded = await inputsOf(batch, 320, { ...all, seed: 2 });
    for (const name of ['source', 'time', 'labels', 'jitter']) {
      expect(later[name]).not.toEqual(inputs[name]);
      expect(reseeded[name]).not.toEqual(inputs[name]);
    }
  });

  it('has independent noise, jitter and times', async () => {
    const inputs = await inputsOf(batchOf(16), 0, { ...parts, jitter: true });
    expect(inputs.jitter).not.toEqual(inputs.source);
    expect(new Set(inputs.time as Float32Array).size).toBe(16);
    expect(inputs.target).toEqual(batchOf(16).target);
  });

  it('loses the wanted share of its labels to the null class, and no other label changes', async () => {
    const rows = 20_000;
    const batch = batchOf(rows);
    for (const labelDropout of [0, 0.1, 0.5, 1]) {
      const inputs = await inputsOf(batch, 0, { ...parts, labelDropout });
      const labels = inputs.labels as Int32Array;
      const dropped = labels.filter((label) => label === 10).length;
      const deviation = Math.sqrt(rows * labelDropout * (1 - labelDropout));
      expect(Math.abs(dropped - rows * labelDropout)).toBeLessThanOrEqual(4 * deviation);
      expect(labels.every((label, i) => label === 10 || label === batch.labels[i])).toBe(true);
    }
  });

  it('leaves the labels of the batch itself as they are', async () => {
    const batch = batchOf(100);
    const before = batch.labels.slice();
    await inputsOf(batch, 0, { ...parts, labelDropout: 1 });
    expect(batch.labels).toEqual(before);
  });

  it('has neither labels nor jitter where the model and the path take none', async () => {
    const inputs = await inputsOf(batchOf(4), 0, { ...parts, classes: null });
    expect(Object.keys(inputs).sort()).toEqual(['source', 'target', 'time']);
  });
});
