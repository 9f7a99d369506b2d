/** Laws of all models: what ONNX Runtime makes of a model and its gradient is what the float64 interpreter computes. */
import { afterAll, describe, expect, test } from 'vitest';
import { interpret } from '../../src/engine/interpreter.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { dit } from '../../src/models/dit.ts';
import { mlp } from '../../src/models/mlp.ts';
import type { Model } from '../../src/models/model.ts';
import { songUnet } from '../../src/models/song-unet.ts';
import { unet } from '../../src/models/unet.ts';
import { executeGraph } from '../engine/execute-graph.ts';
import { gradientGraph, randomInputs, randomParameters } from './model-graphs.ts';

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

// Time is not scaled: the cosine of a float32 in the hundreds has an error of 1e-5 of its own.
const models: readonly Model[] = [
  mlp({ shape: [3], hidden: [8, 8], activation: 'selu', timeFeatures: 4, timeScale: 1, classes: 2 }),
  dit({ shape: [3, 8, 4], patch: 2, depth: 3, width: 16, heads: 2, timeScale: 1, classes: 4 }),
  songUnet({
    shape: [2, 8, 8],
    channels: 8,
    multipliers: [1, 2],
    blocks: 1,
    attentionResolutions: [4],
    timeScale: 1,
    classes: 3,
  }),
  unet({
    shape: [2, 8, 8],
    channels: [4, 8],
    blocks: 1,
    attention: [],
    headChannels: 4,
    middle: false,
    skips: 'blocks',
    resample: 'residual',
    conditioning: 'shift',
    groups: 2,
    timeScale: 1,
    classes: null,
    name: 'UNet with residual resampling',
  }),
  unet({
    shape: [2, 8, 8],
    channels: [4, 8],
    blocks: 1,
    attention: [1],
    headChannels: 4,
    middle: true,
    skips: 'all',
    resample: 'convolution',
    groups: 2,
    timeScale: 1,
    classes: 3,
  }),
];

describe.each(models.map((model) => [model.name, model] as const))('%s', (_name, model) => {
  test('has the prediction and the gradients of its float64 reference', async () => {
    const graph = gradientGraph(model);
    const values = { ...randomParameters(model), ...randomInputs(model) };
    const wanted = interpret(graph, values);
    const actual = await executeGraph(runtime, graph, values);
    for (const [name, reference] of Object.entries(wanted)) {
      const scale = reference.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0.1);
      const worst = reference.reduce((most, value, i) => Math.max(most, Math.abs(value - Number(actual[name][i]))), 0);
      expect(worst / scale, name).toBeLessThan(1e-5);
    }
  });
});
