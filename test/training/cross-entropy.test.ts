import { afterAll, describe, expect, it } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { reduceSum } from '../../src/engine/ops.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { crossEntropy } from '../../src/training/cross-entropy.ts';
import { executeGraph } from '../engine/execute-graph.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

/** Losses, and the derivative of their sum by the scores. */
async function lossesOf(scores: readonly (readonly number[])[], labels: readonly number[]) {
  const types = {
    scores: tensorType([scores.length, scores[0]!.length]),
    labels: tensorType([labels.length], 'int32'),
  };
  const graph = trace((inputs) => {
    const losses = crossEntropy(inputs.scores, inputs.labels);
    return { losses, slopes: gradient(reduceSum(losses), inputs.scores) };
  }, types);
  const inputs = { scores: Float32Array.from(scores.flat()), labels: Int32Array.from(labels) };
  const { losses, slopes } = await executeGraph(runtime, graph, inputs);
  return { losses: [...(losses as Float32Array)], slopes: [...(slopes as Float32Array)] };
}

describe('crossEntropy', () => {
  it('is -log of the probability of the label, with derivative probability - indicator', async () => {
    const scores = [
      [0.5, -1, 2],
      [3, 0, -2],
    ];
    const labels = [1, 0];
    const { losses, slopes } = await lossesOf(scores, labels);
    for (const [row, values] of scores.entries()) {
      const total = values.reduce((sum, score) => sum + Math.exp(score), 0);
      const shares = values.map((score) => Math.exp(score) / total);
      expect(losses[row]).toBeCloseTo(-Math.log(shares[labels[row]!]!), 6);
      for (const [c, share] of shares.entries())
        expect(slopes[3 * row + c]).toBeCloseTo(share - Number(c === labels[row]), 6);
    }
  });

  it('stays finite for scores whose exponentials do not', async () => {
    const { losses, slopes } = await lossesOf([[1e4, 0, -1e4]], [2]);
    expect(losses).toEqual([2e4]);
    expect(slopes).toEqual([1, 0, -1]);
  });

  it('is log of the number of classes where all scores are equal', async () => {
    expect((await lossesOf([[7, 7, 7, 7]], [3])).losses[0]).toBeCloseTo(Math.log(4), 6);
  });
});
