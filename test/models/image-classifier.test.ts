import { afterAll, describe, expect, it } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { multiply, reduceSum } from '../../src/engine/ops.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { type TensorTree, tensorType, trace } from '../../src/engine/trace.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import {
  type ImageClassifier,
  type ImageClassifierOptions,
  imageClassifier,
} from '../../src/models/image-classifier.ts';
import { initializeParameters, parameterCount, parameterTypes } from '../../src/models/parameters.ts';
import { mulberry32Array } from '../../src/numerics/mulberry32.ts';
import { executeGraph, relativeError } from '../engine/execute-graph.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

const fashion: ImageClassifierOptions = { shape: [1, 28, 28], classes: 10 };

/** Features, scores, and derivatives of <scores, weights> by the parameters. */
function classifierGraph(classifier: ImageClassifier, batch: number) {
  const types = {
    p: parameterTypes(classifier.parameters),
    pixels: tensorType([batch, ...classifier.input.shape], 'uint8'),
    w: tensorType([batch, classifier.classes]),
  };
  return trace((inputs) => {
    const { p, pixels, w } = inputs as unknown as { p: TensorTree; pixels: Tensor; w: Tensor };
    const { features, scores } = classifier.apply(p, pixels);
    return { features, scores, g: gradient(reduceSum(multiply(scores, w)), p) };
  }, types);
}

function valuesFor({ parameters, input, classes }: ImageClassifier, batch: number) {
  const count = input.shape.reduce((a, b) => a * b, batch);
  return {
    ...Object.fromEntries(Object.entries(initializeParameters(parameters, 1)).map(([path, v]) => [`p.${path}`, v])),
    pixels: Uint8Array.from(mulberry32Array(1, count), (u) => 256 * u),
    w: Float32Array.from(mulberry32Array(2, batch * classes), (u) => 2 * u - 1),
  };
}

describe('imageClassifier', () => {
  it('counts its parameters', () => {
    const convolutions = (1 * 9 + 1) * 16 + (16 * 9 + 1) * 32;
    const norms = 2 * (16 + 32);
    const layers = (32 * 7 * 7 + 1) * 64 + (64 + 1) * 10;
    expect(parameterCount(imageClassifier(fashion).parameters)).toBe(convolutions + norms + layers);
  });

  it.each([
    [[1, 8, 8], 'CNN-2x16-64'],
    [[3, 32, 32], 'CNN-2x16-64'],
    [[1, 33, 20], 'CNN-3x16-64'],
    [[3, 64, 9], 'CNN-3x16-64'],
    [[3, 64, 64], 'CNN-3x16-64'],
  ] as const)('takes images %o', async (shape, name) => {
    const classifier = imageClassifier({ shape, classes: 3 });
    expect(classifier).toMatchObject({ name, features: 64, classes: 3 });
    const graph = classifierGraph(classifier, 2);
    verifyGraph(graph);
    const { features, scores, ...gradients } = await executeGraph(runtime, graph, valuesFor(classifier, 2));
    expect([features!.length, scores!.length]).toEqual([2 * 64, 2 * 3]);
    for (const [path, values] of Object.entries(gradients))
      expect(
        (values as Float32Array).some((value) => value !== 0),
        path,
      ).toBe(true);
  });

  it('is computed as its references say, in values and derivatives', async () => {
    const classifier = imageClassifier({ shape: [3, 9, 8], classes: 3, width: 8, features: 6, groups: 2 });
    const graph = classifierGraph(classifier, 2);
    const values = valuesFor(classifier, 2);
    const exact = interpret(graph, values);
    const fast = await executeGraph(runtime, graph, values);
    for (const [name, wanted] of Object.entries(exact))
      expect(relativeError(fast[name] as Float32Array, wanted), name).toBeLessThan(1e-5);
  });

  it('sees each image by itself', async () => {
    const classifier = imageClassifier(fashion);
    const values = valuesFor(classifier, 3);
    const { scores } = await executeGraph(runtime, classifierGraph(classifier, 3), values);
    const alone = { ...values, pixels: values.pixels.slice(2 * 784), w: values.w.slice(20) };
    const single = await executeGraph(runtime, classifierGraph(classifier, 1), alone);
    expect(relativeError(single.scores as Float32Array, (scores as Float32Array).slice(20))).toBeLessThan(1e-6);
  });

  it.each([
    [{ shape: [1, 7, 28], classes: 10 }, /height and width in 8\.\.64; got 1 x 7 x 28.*Try images of a smaller size/],
    [{ shape: [3, 64, 65], classes: 10 }, /got 3 x 64 x 65/],
    [{ shape: [2, 28, 28], classes: 10 }, /1 or 3 channels/],
    [{ shape: [1, 28, 28], classes: 1 }, 'Expected at least 2 classes; got 1.'],
    [{ shape: [1, 28, 28], classes: 2, groups: 3 }, /`groups` to divide 16 channels/],
  ] as [ImageClassifierOptions, string | RegExp][])('refuses %o', (options, message) => {
    expect(() => imageClassifier(options)).toThrow(message);
  });

  it('refuses pixels of another type', () => {
    const { parameters, apply } = imageClassifier(fashion);
    const types = { p: parameterTypes(parameters), pixels: tensorType([2, 1, 28, 28]) };
    const run = (inputs: unknown) => {
      const { p, pixels } = inputs as { p: TensorTree; pixels: Tensor };
      return { scores: apply(p, pixels).scores };
    };
    expect(() => trace(run, types)).toThrow('Expected `pixels` to be uint8 [batch, 1, 28, 28]; got f32[2,1,28,28].');
  });
});
