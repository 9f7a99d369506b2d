import { afterAll, describe, expect, test } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { initializeParameters, parameterCount } from '../../src/models/parameters.ts';
import { type UnetOptions, unet, unetPresets } from '../../src/models/unet.ts';
import { executeGraph } from '../engine/execute-graph.ts';
import { gradientGraph, predictionGraph, randomInputs, randomParameters } from './model-graphs.ts';

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

const tiny: UnetOptions = {
  shape: [1, 4, 8],
  channels: [4, 8],
  blocks: 1,
  attention: [1],
  headChannels: 4,
  middle: true,
  skips: 'blocks',
  resample: 'pooling',
  groups: 2,
  classes: 3,
};

const variants: [string, Partial<UnetOptions>][] = [
  ['pooling and skips from blocks', {}],
  ['convolutions between levels and all skips', { resample: 'convolution', skips: 'all', blocks: 2 }],
  ['transposed convolutions', { resample: 'transposed' }],
  ['residual blocks between levels', { resample: 'residual', skips: 'all' }],
  ['residual blocks between levels and sums for skips', { resample: 'residual', skips: 'sum' }],
  ['shifts alone', { conditioning: 'shift' }],
  ['neither middle nor attention', { middle: false, attention: [] }],
  ['sums for skips', { skips: 'sum' }],
  ['squares of two pixels', { patch: 2 }],
];

describe('a U-Net', () => {
  test.each(variants)('with %s keeps the shape and sends a gradient to every parameter', async (_label, changes) => {
    const model = unet({ ...tiny, ...changes });
    const graph = gradientGraph(model);
    verifyGraph(graph);
    const values = { ...randomParameters(model), ...randomInputs(model) };
    const { y, ...gradients } = await executeGraph(runtime, graph, values);
    expect(y.length).toBe(3 * 4 * 8);
    for (const [name, gradient] of Object.entries(gradients)) {
      expect(
        (gradient as Float32Array).some((value) => value !== 0),
        name,
      ).toBe(true);
    }
  });

  test('takes 28 x 28 pixels down to 7 x 7 and back', () => {
    const model = unet({ ...unetPresets.compact, shape: [1, 28, 28], classes: 10 });
    const graph = predictionGraph(model);
    expect(graph.values[graph.outputs[0].value].shape).toEqual([3, 1, 28, 28]);
    expect(graph.values.some(({ shape }) => shape[2] === 7 && shape[3] === 7)).toBe(true);
  });

  test('named cifar has as many parameters as the published network with its sizes', () => {
    const model = unet({ ...unetPresets.cifar, shape: [3, 32, 32], classes: null });
    // With a shift only, the usual CIFAR-10 network has 35.75 M; the scales are 513 more for each of 4,992 channels.
    expect((parameterCount(model.parameters) - 513 * 4992) / 1e6).toBeCloseTo(35.75, 2);
  });

  test('starts with an output of zero', async () => {
    const model = unet(tiny);
    const start = Object.entries(initializeParameters(model.parameters, 1)).map(([path, array]) => [
      `p.${path}`,
      array,
    ]);
    const inputs = { ...Object.fromEntries(start), ...randomInputs(model) };
    const { y } = await executeGraph(runtime, predictionGraph(model), inputs);
    expect((y as Float32Array).every((value) => value === 0)).toBe(true);
  });

  test('without labels predicts what the null class gives', async () => {
    const model = unet(tiny);
    const values = { ...randomParameters(model), ...randomInputs(model), labels: Int32Array.of(3, 3, 3) };
    const labelled = await executeGraph(runtime, predictionGraph(model), values);
    const unlabelled = await executeGraph(runtime, predictionGraph(model, { labelled: false }), values);
    for (const [i, value] of unlabelled.y.entries()) expect(value).toBeCloseTo(Number(labelled.y[i]), 5);
  });

  test('refuses sizes that its levels do not divide, heads and groups', () => {
    expect(() => unet({ ...tiny, shape: [1, 4, 7] })).toThrow(
      /multiples of 2 for 2 levels of patch 1; got \[1, 4, 7\]/,
    );
    expect(() => unet({ ...tiny, shape: [1, 4, 6], patch: 2 })).toThrow(/multiples of 4 for 2 levels of patch 2/);
    expect(() => unet({ ...tiny, attention: [2] })).toThrow(/`attention` to name levels in \[0, 1\]/);
    expect(() => unet({ ...tiny, headChannels: 3 })).toThrow(/multiples of 3; got 1 with channels \[4, 8\]/);
    expect(() => unet({ ...tiny, groups: 3 })).toThrow(/`groups` to divide 4 channels; got 3/);
  });
});
