import { afterAll, describe, expect, test } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { type DitSize, dit, ditPatches, ditSizes } from '../../src/models/dit.ts';
import { initializeParameters, parameterCount } from '../../src/models/parameters.ts';
import { executeGraph } from '../engine/execute-graph.ts';
import { gradientGraph, predictionGraph, randomInputs, randomParameters } from './model-graphs.ts';

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

const tiny = dit({ shape: [3, 4, 6], patch: 2, depth: 2, width: 8, heads: 2, classes: 4 });

describe('a DiT', () => {
  // [peebles:23] states 33, 130, 458 and 675 M; its output has twice the channels (variances), and its null row is not counted.
  test.each([
    ['S', 32.9],
    ['B', 130.4],
    ['L', 457.9],
    ['XL', 675.0],
  ] as const)('of size %s with patch 2 has %s M parameters on latents of 32 x 32 x 4', (size, millions) => {
    const model = dit({ ...ditSizes[size], shape: [4, 32, 32], patch: 2, classes: 1000 });
    expect(parameterCount(model.parameters) / 1e6).toBeCloseTo(millions, 0);
  });

  test('exists in four sizes with three patches', () => {
    const sizes: readonly DitSize[] = Object.values(ditSizes);
    for (const size of sizes) {
      for (const patch of ditPatches) {
        expect(() => dit({ ...size, shape: [4, 32, 32], patch, classes: null })).not.toThrow();
      }
    }
  });

  test('starts with an output of zero, and every block as the identity', async () => {
    const start = initializeParameters(tiny.parameters, 1);
    const values = Object.fromEntries(Object.entries(start).map(([path, array]) => [`p.${path}`, array]));
    const { y } = await executeGraph(runtime, predictionGraph(tiny), { ...values, ...randomInputs(tiny) });
    expect((y as Float32Array).every((value) => value === 0)).toBe(true);
    expect(start['blocks.0.modulation.weight'].every((value) => value === 0)).toBe(true);
    expect(start['blocks.0.attention.query.weight'].some((value) => value !== 0)).toBe(true);
  });

  test('sends a gradient to every parameter', async () => {
    const graph = gradientGraph(tiny);
    verifyGraph(graph);
    const values = { ...randomParameters(tiny), ...randomInputs(tiny) };
    const { y, ...gradients } = await executeGraph(runtime, graph, values);
    expect(y.length).toBe(3 * 3 * 4 * 6);
    for (const [name, gradient] of Object.entries(gradients)) {
      expect(
        (gradient as Float32Array).some((value) => value !== 0),
        name,
      ).toBe(true);
    }
  });

  test('without labels predicts what the null class gives', async () => {
    const values = { ...randomParameters(tiny), ...randomInputs(tiny), labels: Int32Array.of(4, 4, 4) };
    const labelled = await executeGraph(runtime, predictionGraph(tiny), values);
    const unlabelled = await executeGraph(runtime, predictionGraph(tiny, { labelled: false }), values);
    expect(unlabelled.y).toEqual(labelled.y);
  });

  test('predicts each sample from that sample alone', async () => {
    const values = { ...randomParameters(tiny), ...randomInputs(tiny) };
    const { y: all } = await executeGraph(runtime, predictionGraph(tiny), values);
    const size = 3 * 4 * 6;
    const { y: second } = await executeGraph(runtime, predictionGraph(tiny, { batch: 1 }), {
      ...values,
      x: (values.x as Float32Array).slice(size, 2 * size),
      time: (values.time as Float32Array).slice(1, 2),
      labels: (values.labels as Int32Array).slice(1, 2),
    });
    for (const [i, value] of second.entries()) expect(value).toBeCloseTo(Number(all[size + i]), 5);
  });

  test('refuses a patch that does not divide the image and heads that do not divide the width', () => {
    const options = { shape: [3, 4, 6], patch: 2, depth: 1, width: 8, heads: 2, classes: null } as const;
    expect(() => dit({ ...options, patch: 4 })).toThrow(/Expected `patch` to divide height and width of \[3, 4, 6\]/);
    expect(() => dit({ ...options, heads: 3 })).toThrow(/Expected `heads` to divide the width 8; got 3/);
  });
});
