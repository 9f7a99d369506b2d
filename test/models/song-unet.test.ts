import { afterAll, describe, expect, test } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { initializeParameters } from '../../src/models/parameters.ts';
import { type SongUnetOptions, songUnet, songUnets } from '../../src/models/song-unet.ts';
import { executeGraph } from '../engine/execute-graph.ts';
import { gradientGraph, predictionGraph, randomInputs, randomParameters } from './model-graphs.ts';

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

const tiny: SongUnetOptions = {
  shape: [1, 4, 8],
  channels: 8,
  multipliers: [2, 1],
  blocks: 2,
  attentionResolutions: [2],
  classes: 3,
};

describe('the U-Net of DDPM++', () => {
  test('keeps the shape and sends a gradient to every parameter', async () => {
    const model = songUnet(tiny);
    const graph = gradientGraph(model);
    verifyGraph(graph);
    const { y, ...gradients } = await executeGraph(runtime, graph, {
      ...randomParameters(model),
      ...randomInputs(model),
    });
    expect(y.length).toBe(3 * 4 * 8);
    for (const [name, gradient] of Object.entries(gradients)) {
      expect(
        (gradient as Float32Array).some((value) => value !== 0),
        name,
      ).toBe(true);
    }
  });

  test('starts with an output of almost zero', async () => {
    const model = songUnet(tiny);
    const start = Object.entries(initializeParameters(model.parameters, 1)).map(([path, values]) => [
      `p.${path}`,
      values,
    ]);
    const { y } = await executeGraph(runtime, predictionGraph(model), {
      ...Object.fromEntries(start),
      ...randomInputs(model),
    });
    const largest = Math.max(...(y as Float32Array).map(Math.abs));
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(1e-3);
  });

  test('without labels predicts what the null class gives, and another class gives something else', async () => {
    const model = songUnet(tiny);
    const values = { ...randomParameters(model), ...randomInputs(model), labels: Int32Array.of(3, 3, 3) };
    const { y: none } = await executeGraph(runtime, predictionGraph(model), values);
    const { y: unlabelled } = await executeGraph(runtime, predictionGraph(model, { labelled: false }), values);
    for (const [i, value] of unlabelled.entries()) expect(value).toBeCloseTo(Number(none[i]), 5);
    const { y: first } = await executeGraph(runtime, predictionGraph(model), {
      ...values,
      labels: Int32Array.of(0, 0, 0),
    });
    expect(Math.max(...(first as Float32Array).map((value, i) => Math.abs(value - Number(none[i]))))).toBeGreaterThan(
      1e-3,
    );
  });

  // [matityahu:24], table 6: 4 blocks with attention in the encoder, 2 in the decoder.
  test.each(['cifar10', 'afhq64'] as const)('%s has as much attention as its paper says, with one head', (name) => {
    const model = songUnet({ ...songUnets[name], classes: null });
    const { calls, values } = predictionGraph(model, { batch: 1 });
    const shapes = calls
      .filter(({ primitive }) => primitive.name === 'softmax')
      .map(({ outputs }) => values[outputs[0]].shape);
    const [at16, middle] = [
      [1, 256, 256],
      [1, 64, 64],
    ];
    expect(shapes).toEqual([at16, at16, at16, at16, middle, at16]);
  });

  test('refuses sizes that its levels do not divide, and heights that none of them has', () => {
    expect(() => songUnet({ ...tiny, shape: [1, 4, 7] })).toThrow(/multiples of 2 for 2 levels; got \[1, 4, 7\]/);
    expect(() => songUnet({ ...tiny, attentionResolutions: [8] })).toThrow(
      /among the heights \[4, 2\] of the levels; got \[8\]/,
    );
  });
});
