import { describe, expect, test } from 'vitest';
import { interpret } from '../../src/engine/interpreter.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { batchNorm } from '../../src/models/layers/batch-norm.ts';
import { initializeParameters, parameterCount, parameterTypes, type TensorsOf } from '../../src/models/parameters.ts';
import { type PatchDiscriminatorParameters, patchDiscriminator } from '../../src/models/patch-discriminator.ts';
import { uniforms } from './model-graphs.ts';

/** Graph of the logits of pictures. */
function logitGraph(options: Parameters<typeof patchDiscriminator>[0], x: readonly number[]) {
  const { parameters, apply } = patchDiscriminator(options);
  return trace(
    (inputs) => {
      const tensors = inputs as unknown as { p: TensorsOf<PatchDiscriminatorParameters>; x: Tensor };
      return { logits: apply(tensors.p, tensors.x) };
    },
    { p: parameterTypes(parameters), x: tensorType(x) },
  );
}

describe('the PatchGAN discriminator', () => {
  const published = { inputs: 3, channels: 64, layers: 3 };

  test('of 70 x 70 has 30 x 30 logits for 256 x 256 pixels, and its number of parameters', () => {
    const graph = logitGraph(published, [2, 3, 256, 256]);
    expect(graph.values[graph.outputs[0].value].shape).toEqual([2, 1, 30, 30]);
    // 4 x 4 kernels, biases of the first and the last layer, scale and shift of three norms.
    const weights = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512);
    expect(parameterCount(patchDiscriminator(published).parameters)).toBe(weights + 65 + 2 * (128 + 256 + 512));
  });

  test('starts as published: weights around 0 and scales around 1 with deviation 0.02', () => {
    const values = initializeParameters(patchDiscriminator(published).parameters, 1);
    const moments = (path: string) => {
      const mean = values[path].reduce((sum, value) => sum + value, 0) / values[path].length;
      const square = values[path].reduce((sum, value) => sum + (value - mean) ** 2, 0) / values[path].length;
      return [mean, Math.sqrt(square)];
    };
    // 32,768 weights and 512 scales: standard errors of the mean 1.1e-4 and 9e-4, of the deviation 8e-5 and 6e-4.
    expect(Math.abs(moments('layers.0.weight')[0])).toBeLessThan(5e-4);
    expect(Math.abs(moments('layers.0.weight')[1] - 0.02)).toBeLessThan(5e-4);
    expect(Math.abs(moments('layers.2.norm.scale')[0] - 1)).toBeLessThan(4e-3);
    expect(Math.abs(moments('layers.2.norm.scale')[1] - 0.02)).toBeLessThan(3e-3);
  });

  test('refuses other channels, and sizes that are none', () => {
    expect(() => logitGraph(published, [1, 1, 64, 64])).toThrow(
      /`x` to be \[batch, 3, height, width\]; got \[1, 1, 64, 64\]/,
    );
    expect(() => patchDiscriminator({ ...published, layers: 0 })).toThrow(/integers >= 1; got 3, 64, 0/);
  });
});

test('batch norm gives every channel the mean and deviation that its parameters name', () => {
  const { parameters, apply } = batchNorm(2, { epsilon: 0 });
  const graph = trace(({ scale, bias, x }) => ({ y: apply({ scale, bias }, x) }), {
    scale: tensorType(parameters.scale.shape, 'float64'),
    bias: tensorType(parameters.bias.shape, 'float64'),
    x: tensorType([3, 2, 2, 2], 'float64'),
  });
  const { y } = interpret(graph, { scale: [2, 0.5], bias: [-1, 4], x: uniforms(5, 24) });
  for (const [channel, mean, deviation] of [
    [0, -1, 2],
    [1, 4, 0.5],
  ]) {
    const values = [...y].filter((_, i) => Math.floor(i / 4) % 2 === channel);
    const average = values.reduce((sum, value) => sum + value) / 12;
    expect(average).toBeCloseTo(mean, 12);
    expect(values.reduce((sum, value) => sum + (value - average) ** 2, 0) / 12).toBeCloseTo(deviation ** 2, 12);
  }
});
